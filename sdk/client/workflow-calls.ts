/**
 * The unary calls about workflows, with views for answers, and waiting for the end of one.
 *
 * Each says for itself whether a repeat is harmless: a submit is, because its request id is made before the first try.
 */
import { randomUUID } from 'node:crypto';
import type {
  CancelWorkflowResponse__Output,
  GetWorkflowResponse__Output,
  ListWorkflowsResponse__Output,
  SubmitWorkflowResponse__Output,
} from '../../proto/gen/index.ts';
import type { Problem } from '../common/errors.ts';
import { callOnce } from './call.ts';
import type { CallOptions } from './call.ts';
import type { Connection } from './connection.ts';
import { Code, DibsError, WaitTimeoutError } from './errors.ts';
import { isTerminalStatus } from './events.ts';
import { pause } from './pause.ts';
import { readWorkflow } from './read-views.ts';
import { Patience } from './reconnect.ts';
import type { WorkflowView } from './views.ts';
import type { WorkflowInput } from './workflow-input.ts';
import { invalidWorkflow, readWorkflowSpec } from './workflow-spec.ts';
import type { WireSpec } from './workflow-spec.ts';

/** Longest wait one call asks for; the server allows 60 s. */
const LONG_POLL_MS = 30_000;
/** Least time between two answers that are not the end. */
const POLL_FLOOR_MS = 200;

export interface SubmitOptions extends CallOptions {
  /** Idempotency key; default a fresh one for each call of `submit`, the same over its retries. */
  readonly requestId?: string;
  /** Check only: nothing is stored and the workflow has no id. */
  readonly validateOnly?: boolean;
}

export interface Submitted {
  readonly workflow: WorkflowView;
  /** The request id was used before: this is the workflow made then. */
  readonly duplicate: boolean;
}

export async function submitWorkflow(
  connection: Connection,
  input: WorkflowInput,
  { requestId = randomUUID(), validateOnly = false, ...call }: SubmitOptions = {},
): Promise<Submitted> {
  const { spec, problems } = readWorkflowSpec(input);
  if (problems.length > 0)
    throw invalidWorkflow([...problems, ...(await seenByServer(connection, spec, problems, call))]);
  const request = { requestId, validateOnly, workflow: spec };
  const answer = await callOnce<SubmitWorkflowResponse__Output>(
    connection,
    ({ workflows }, options, callback) =>
      workflows.submitWorkflow(request, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
  return { workflow: readWorkflow(present(answer.workflow)), duplicate: answer.duplicate };
}

/** Mistakes only the coordinator can see in what could be read, so that all are told at once; none when it is away. */
async function seenByServer(
  connection: Connection,
  spec: WireSpec,
  known: readonly Problem[],
  call: CallOptions,
): Promise<readonly Problem[]> {
  try {
    await callOnce<SubmitWorkflowResponse__Output>(
      connection,
      ({ workflows }, options, callback) =>
        workflows.submitWorkflow(
          { validateOnly: true, workflow: spec },
          connection.metadata,
          options,
          callback,
        ),
      { idempotent: true, ...call },
    );
    return [];
  } catch (error) {
    if (!(error instanceof DibsError)) return [];
    return error.problems.filter(({ path }) => !known.some((one) => one.path === path));
  }
}

export interface GetOptions extends CallOptions {
  readonly includeJobs?: boolean | undefined;
  readonly omitOutputs?: boolean | undefined;
  /** Let the server wait this long for the end before it answers. */
  readonly waitMs?: number | undefined;
}

export async function getWorkflow(
  connection: Connection,
  workflowId: string,
  { includeJobs = false, omitOutputs = false, waitMs = 0, ...call }: GetOptions = {},
): Promise<WorkflowView> {
  const request = { workflowId, includeJobs, omitOutputs, waitMs };
  const timeoutMs = waitMs + (call.timeoutMs ?? connection.options.callTimeoutMs);
  const answer = await callOnce<GetWorkflowResponse__Output>(
    connection,
    ({ workflows }, options, callback) =>
      workflows.getWorkflow(request, connection.metadata, options, callback),
    { idempotent: true, ...call, timeoutMs },
  );
  return readWorkflow(present(answer.workflow));
}

export interface WaitOptions {
  /** Throws WaitTimeoutError after this long; default: waits for as long as it takes. */
  readonly timeoutMs?: number;
  readonly includeJobs?: boolean;
  readonly omitOutputs?: boolean;
  readonly signal?: AbortSignal;
}

/** The workflow once it has ended, however it ended. Outlives coordinators. */
export async function waitForWorkflow(
  connection: Connection,
  workflowId: string,
  { timeoutMs = Number.POSITIVE_INFINITY, includeJobs, omitOutputs, signal }: WaitOptions = {},
): Promise<WorkflowView> {
  const patience = new Patience(connection.options.reconnectMs);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const askedAt = Date.now();
    const waitMs = Math.max(0, Math.min(LONG_POLL_MS, deadline - askedAt));
    let pauseMs: number | undefined;
    try {
      const workflow = await getWorkflow(connection, workflowId, {
        includeJobs,
        omitOutputs,
        waitMs,
        signal,
      });
      if (isTerminalStatus(workflow.status)) return workflow;
      patience.succeeded();
      pauseMs = Math.max(0, Math.min(POLL_FLOOR_MS, waitMs) - (Date.now() - askedAt));
    } catch (error) {
      if (!(error instanceof DibsError)) throw error;
      pauseMs = patience.failed(error, Date.now(), Math.random());
      if (pauseMs === undefined || connection.closed) throw error;
    }
    if (Date.now() + pauseMs >= deadline) throw new WaitTimeoutError(workflowId, timeoutMs);
    await pause(pauseMs, signal);
  }
}

export interface ListOptions extends CallOptions {
  /** Terms joined by AND: `state=processing`, `tag=nightly`, `name=report`, `type=image.upscale`. */
  readonly filter?: string;
  /** Workflows a call fetches; default 100. */
  readonly pageSize?: number;
}

/** Newest first, without jobs and outputs; the next page is fetched when the loop gets there. */
export async function* listWorkflows(
  connection: Connection,
  { filter = '', pageSize = 100, ...call }: ListOptions = {},
): AsyncGenerator<WorkflowView, void, undefined> {
  let pageToken = '';
  do {
    const request = { pageSize, pageToken, filter };
    const page = await callOnce<ListWorkflowsResponse__Output>(
      connection,
      ({ workflows }, options, callback) =>
        workflows.listWorkflows(request, connection.metadata, options, callback),
      { idempotent: true, ...call },
    );
    for (const workflow of page.workflows) yield readWorkflow(workflow);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

export interface CancelOptions extends CallOptions {
  /** Why, for people; kept with the workflow. */
  readonly message?: string;
}

/** Idempotent: the answer of a repeat that finds it canceled already is the canceled workflow. */
export async function cancelWorkflow(
  connection: Connection,
  workflowId: string,
  { message = '', ...call }: CancelOptions = {},
): Promise<WorkflowView> {
  let sent = 0;
  try {
    const answer = await callOnce<CancelWorkflowResponse__Output>(
      connection,
      ({ workflows }, options, callback) => {
        sent += 1;
        return workflows.cancelWorkflow({ workflowId, message }, connection.metadata, options, callback);
      },
      { idempotent: true, ...call },
    );
    return readWorkflow(present(answer.workflow));
  } catch (error) {
    const maybeOurs = sent > 1 && error instanceof DibsError && error.code === Code.FAILED_PRECONDITION;
    if (!maybeOurs) throw error;
    const workflow = await getWorkflow(connection, workflowId, call);
    if (workflow.status !== 'canceled') throw error;
    return workflow;
  }
}

function present<Message>(message: Message | null): Message {
  if (message === null) throw new DibsError('INTERNAL', 'The coordinator answered without a workflow.');
  return message;
}
