/**
 * WorkflowService: parse, call, format. The submit stream and the watch have files of their own.
 */
import type { WorkflowHandlers } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { isTerminal } from '../../sdk/common/states.ts';
import { parseWorkflowId, workflowId } from '../queue/keys.ts';
import type { Accepted } from '../workflow/intake.ts';
import type { LoadedWorkflow, Reader } from '../workflow/reader.ts';
import type { Plan } from '../workflow/plan.ts';
import { serverStream, unary } from './handling.ts';
import { checkRequestId } from './request-id.ts';
import { submitStream } from './submit-stream.ts';
import { watchPosition } from './watch-position.ts';
import { watchWorkflow } from './watch.ts';
import type { WorkflowServiceParts } from './workflow-parts.ts';

/** Longest wait of GetWorkflow, milliseconds. */
const MAX_WAIT_MS = 60_000;

export function workflowHandlers(parts: WorkflowServiceParts): WorkflowHandlers {
  const { frame, intake, reader, listing, shell, store, news } = parts;
  return {
    submitWorkflow: unary(frame, async (request, { tenant }) => {
      checkRequestId(request.requestId);
      const plan = await intake.compile(tenant, request.workflow);
      if (request.validateOnly) return { workflow: previewOf(plan, request.requestId), duplicate: false };
      const accepted = await new Promise<Accepted>((resolve, reject) => {
        intake.submit(tenant, request.requestId, plan, false, resolve, reject);
      });
      const loaded = await find(reader, accepted.wid, tenant);
      return {
        workflow: await reader.message(loaded, { jobs: false, outputs: true }),
        duplicate: accepted.duplicate,
      };
    }),

    submitStream: submitStream(parts),

    getWorkflow: unary(frame, async (request, { tenant }) => {
      const wid = widOf(request.workflowId);
      let loaded = await find(reader, wid, tenant);
      const waitMs = Math.min(request.waitMs, MAX_WAIT_MS);
      if (waitMs > 0 && !isTerminal(loaded.view.state)) {
        await waitForEnd(parts, wid, tenant, waitMs);
        loaded = await find(reader, wid, tenant);
      }
      return {
        workflow: await reader.message(loaded, {
          jobs: request.includeJobs,
          outputs: !request.omitOutputs,
          etas: true,
        }),
      };
    }),

    listWorkflows: unary(frame, async (request, { tenant }) => {
      const page = await listing.page(tenant, request);
      const workflows = await Promise.all(
        page.workflows.map((loaded) => reader.message(loaded, { jobs: false, outputs: false })),
      );
      return { workflows, nextPageToken: page.nextPageToken };
    }),

    watchWorkflow: serverStream(frame, (request, { tenant }, write, signal) =>
      watchWorkflow({ store, reader, news }, widOf(request.workflowId), tenant, request, write, signal),
    ),

    watchPosition: serverStream(frame, (request, { tenant }, write, signal) =>
      watchPosition(parts, tenant, request, write, signal),
    ),

    cancelWorkflow: unary(frame, async (request, { tenant }) => {
      const wid = widOf(request.workflowId);
      await find(reader, wid, tenant);
      const [status] = await store.requestCancel(wid, tenant, request.message.slice(0, 1000));
      if (status === 'gone') throw notFound(wid);
      if (status === 'terminal') {
        throw new DibsError('WRONG_STATE', `The workflow ${workflowId(wid)} has ended already.`);
      }
      await shell.settle(wid);
      const loaded = await find(reader, wid, tenant);
      return { workflow: await reader.message(loaded, { jobs: false, outputs: true }) };
    }),
  };
}

function widOf(id: string): string {
  const wid = parseWorkflowId(id);
  if (wid === undefined)
    throw new DibsError('WORKFLOW_NOT_FOUND', `There is no workflow "${id.slice(0, 100)}".`);
  return wid;
}

function notFound(wid: string): DibsError {
  return new DibsError('WORKFLOW_NOT_FOUND', `There is no workflow "${workflowId(wid)}".`);
}

async function find(reader: Reader, wid: string, tenant: string): Promise<LoadedWorkflow> {
  const loaded = await reader.load(wid, tenant);
  if (loaded === undefined) throw notFound(wid);
  return loaded;
}

function waitForEnd(
  { results }: WorkflowServiceParts,
  wid: string,
  tenant: string,
  waitMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      results.forget(wid, ended);
      resolve();
    }, waitMs);
    const ended = (): void => {
      clearTimeout(timer);
      resolve();
    };
    results.wait(wid, tenant, ended);
    results.follow(wid).catch(() => {}); // the slow check finds it, too
  });
}

/** What a submit would make, without an id. */
function previewOf(plan: Plan, requestId: string) {
  return {
    name: plan.name,
    requestId,
    tags: plan.tags,
    steps: plan.steps.map((step) => ({
      name: step.name,
      type: step.type,
      dependsOn: step.needs.map((need) => plan.steps[need]?.name ?? ''),
    })),
    counts: {
      total: plan.steps.length,
      pending: plan.steps.length,
      succeeded: 0,
      running: 0,
      failed: 0,
      skipped: 0,
    },
  };
}
