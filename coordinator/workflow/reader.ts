/**
 * Workflows as consumers read them: records and plan turned into messages.
 *
 * Invariant: another tenant's workflow does not exist.
 */
import { FailMode as FailModeCode } from '../../proto/gen/index.ts';
import type {
  Counts__Output,
  FailMode__Output,
  Priority__Output,
  State__Output,
  Step__Output,
  Workflow__Output,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Span } from '../forecast/critical-path.ts';
import type { WorkflowEta } from '../forecast/workflow-eta.ts';
import { jobRef, workflowId } from '../queue/keys.ts';
import { STEPS_PER_CHUNK } from '../queue/records.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import { jobMessages, stepProgress } from './job-messages.ts';
import type { JobMessagesOptions } from './job-messages.ts';
import { stepOutput } from './outputs.ts';
import { unpackPlan } from './plan-codec.ts';
import type { FailMode, Plan, PlanStep } from './plan.ts';
import { addChunk, isPartial, readHead } from './view.ts';
import type { StepView, WorkflowView } from './view.ts';

/** Jobs of a step that are shown at most. */
const MAX_JOBS_SHOWN = 1000;

const FAIL_MODES: Readonly<Record<FailMode, FailMode__Output>> = {
  fail_fast: FailModeCode.FAIL_MODE_FAIL_FAST,
  continue: FailModeCode.FAIL_MODE_CONTINUE,
  best_effort: FailModeCode.FAIL_MODE_BEST_EFFORT,
};

export interface LoadedWorkflow {
  readonly wid: string;
  readonly plan: Plan;
  /** With every step. */
  readonly view: WorkflowView;
}

export interface ReaderOptions extends JobMessagesOptions {
  readonly store: Store;
  readonly reads: Reads;
  readonly eta: WorkflowEta;
  /** Why no connected agent can run a class, in words. */
  readonly unrunnableReason: (queue: string) => string;
}

export class Reader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Undefined when there is no such workflow for this tenant. */
  async load(wid: string, tenant: string): Promise<LoadedWorkflow | undefined> {
    const { store, reads } = this.#options;
    const cell = store.cellOf(wid);
    if (cell === undefined) return undefined;
    const found = await reads.headAndPlan(cell, wid);
    if (found === undefined) return undefined;
    const view = readHead(found.head);
    if (view.tenant !== tenant) return undefined;
    if (view.stepCount > STEPS_PER_CHUNK) {
      const count = Math.ceil(view.stepCount / STEPS_PER_CHUNK);
      const numbers = Array.from({ length: count - 1 }, (_, i) => i + 1);
      for (const [number, packed] of await reads.chunks(cell, wid, numbers)) addChunk(view, number, packed);
    }
    return { wid, plan: unpackPlan(found.plan), view };
  }

  async message(
    loaded: LoadedWorkflow,
    show: { readonly jobs: boolean; readonly outputs: boolean; readonly etas?: boolean },
  ): Promise<Plain<Workflow__Output>> {
    const { wid, plan, view } = loaded;
    const etas = show.etas === true ? await this.#options.eta.of(wid, plan, view) : undefined;
    const steps = await Promise.all(
      plan.steps.map((step) => this.#step(loaded, step, show, etas?.steps[step.index])),
    );
    const stuck = isTerminal(view.state)
      ? undefined
      : plan.steps.find(
          (step) => (view.steps[step.index]?.open ?? 0) > 0 && !this.#options.isRunnable(step.queue),
        );
    return {
      id: workflowId(wid),
      name: plan.name,
      state: view.state as State__Output,
      outcome: { reason: view.reason, message: view.message },
      failedStep: view.failedStep >= 0 ? (plan.steps[view.failedStep]?.name ?? '') : '',
      createdAtMs: view.createdAt,
      startedAtMs: view.startedAt,
      completedAtMs: view.completedAt,
      steps,
      counts: countsOf(view),
      tags: plan.tags,
      metadataJson: plan.metadataJson,
      argumentsJson: plan.argumentsJson,
      stateJson: plan.stateJson,
      version: view.version,
      sequence: view.sequence,
      partial: isPartial(view, plan.failMode),
      failMode: FAIL_MODES[plan.failMode],
      requestId: view.requestId,
      unrunnable: stuck !== undefined,
      unrunnableReason: stuck === undefined ? '' : this.#options.unrunnableReason(stuck.queue),
      doneInP50Ms: Math.round(etas?.workflow?.p50 ?? 0),
      doneInP90Ms: Math.round(etas?.workflow?.p90 ?? 0),
    };
  }

  /** The terminal result: every step's output with counts, as JSON text. */
  async result(loaded: LoadedWorkflow): Promise<string> {
    const { plan, view } = loaded;
    const steps = await Promise.all(
      plan.steps.map(async (step) => {
        const state = view.steps[step.index] as StepView;
        const output = state.state === State.succeeded ? await this.output(loaded, step.index) : 'null';
        return resultStep(step.name, state.state, output);
      }),
    );
    const counts = countsOf(view);
    return `{"steps":[${steps.join(',')}],"succeeded":${counts.succeeded},"failed":${counts.failed},"total":${counts.total}}`;
  }

  /** Output of a step that succeeded, JSON text. */
  async output({ wid, plan, view }: LoadedWorkflow, index: number): Promise<string> {
    const { store, reads } = this.#options;
    const state = view.steps[index] as StepView;
    const jobs = await reads.jobs(store.cellOf(wid), wid, index, 0, state.nextJob);
    return stepOutput(jobs, Math.max(0, state.total), plan.steps[index]?.fanOut !== null);
  }

  async #step(
    loaded: LoadedWorkflow,
    step: PlanStep,
    show: { readonly jobs: boolean; readonly outputs: boolean },
    eta: Span | undefined,
  ): Promise<Plain<Step__Output>> {
    const { wid, plan, view } = loaded;
    const { store, reads } = this.#options;
    const state = view.steps[step.index] as StepView;
    const succeeded = state.state === State.succeeded;
    const wanted = show.jobs || (show.outputs && succeeded) ? state.nextJob : 0;
    const jobs = wanted > 0 ? await reads.jobs(store.cellOf(wid), wid, step.index, 0, wanted) : [];
    const total = Math.max(0, state.total);
    const running = jobs.flatMap((job, ordinal) =>
      job === undefined || isTerminal(job.state)
        ? []
        : [this.#options.progress.of(jobRef(wid, step.index, ordinal), job)],
    );
    const { fraction, source } = stepProgress(state, running);
    return {
      name: step.name,
      type: step.type,
      state: state.state as State__Output,
      outcome: { reason: state.reason, message: state.message },
      startedAtMs: state.startedAt,
      completedAtMs: state.completedAt,
      outputJson: show.outputs && succeeded ? stepOutput(jobs, total, step.fanOut !== null) : '',
      progress: succeeded ? 1 : fraction,
      progressSource: source,
      jobsTotal: total,
      jobsSucceeded: state.ok,
      jobsFailed: state.bad,
      jobs: show.jobs
        ? await jobMessages(
            this.#options,
            store.cellOf(wid),
            wid,
            step.index,
            jobs.slice(0, MAX_JOBS_SHOWN),
            show.outputs,
          )
        : [],
      doneInP50Ms: Math.round(eta?.p50 ?? 0),
      doneInP90Ms: Math.round(eta?.p90 ?? 0),
      dependsOn: step.needs.map((need) => plan.steps[need]?.name ?? ''),
      priority: (step.band + 1) as Priority__Output,
      metadataJson: step.metadataJson,
    };
  }
}

/** One step of a terminal result, JSON text. */
export function resultStep(name: string, state: number, output: string): string {
  return `{"name":${JSON.stringify(name)},"status":"${STATUS_WORDS[state] ?? 'unassigned'}","output":${output}}`;
}

const STATUS_WORDS: Readonly<Record<number, string>> = {
  [State.succeeded]: 'succeeded',
  [State.failed]: 'failed',
  [State.expired]: 'expired',
  [State.canceled]: 'canceled',
  [State.skipped]: 'skipped',
};

export function countsOf(view: WorkflowView): Counts__Output {
  const counts = { total: view.stepCount, succeeded: 0, running: 0, pending: 0, failed: 0, skipped: 0 };
  for (const step of view.steps) {
    const state = step?.state ?? State.unassigned;
    if (state === State.succeeded) counts.succeeded++;
    else if (state === State.skipped) counts.skipped++;
    else if (isTerminal(state)) counts.failed++;
    else if (state === State.unassigned) counts.pending++;
    else counts.running++;
  }
  return counts;
}
