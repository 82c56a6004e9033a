/**
 * When a workflow and its steps will be done: what is known of the jobs there are, and of the queues those to come will stand in.
 *
 * Invariants:
 * 1. Of a step with open jobs the newest NEWEST are looked at: queues are worked off in order, so they are the last to be done.
 * 2. Workflows of more than MAX_STEPS steps, or MAX_OPEN open ones, have no forecast.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import { jobRef } from '../queue/keys.ts';
import type { JobRecord, Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import type { JobProgress } from '../progress/progress.ts';
import type { Plan, PlanStep } from '../workflow/plan.ts';
import type { StepView, WorkflowView } from '../workflow/view.ts';
import { doneIn, latest } from './critical-path.ts';
import type { PathStep, Span } from './critical-path.ts';
import type { Forecasts } from './forecasts.ts';
import type { Outlook } from './outlook.ts';

const NEWEST = 64;
const MAX_STEPS = 2000;
const MAX_OPEN = 64;

export interface Etas {
  readonly steps: readonly (Span | undefined)[];
  readonly workflow: Span | undefined;
}

const NOTHING: Etas = { steps: [], workflow: undefined };

export interface WorkflowEtaOptions {
  readonly store: Pick<Store, 'cellOf'>;
  readonly reads: Reads;
  readonly forecasts: Forecasts;
  readonly progress: JobProgress;
}

export class WorkflowEta {
  readonly #options: WorkflowEtaOptions;

  constructor(options: WorkflowEtaOptions) {
    this.#options = options;
  }

  async of(wid: string, plan: Plan, view: WorkflowView): Promise<Etas> {
    if (isTerminal(view.state) || plan.steps.length > MAX_STEPS) return NOTHING;
    const open = plan.steps.filter(({ index }) => (view.steps[index]?.open ?? 0) > 0);
    if (open.length > MAX_OPEN) return NOTHING;
    const outlook = await this.#options.forecasts.outlook();
    const left = new Map<number, Span | undefined>();
    await Promise.all(
      open.map(async (step) => {
        left.set(step.index, await this.#open(wid, step, view.steps[step.index] as StepView));
      }),
    );
    const steps = plan.steps.map((step): PathStep => {
      const state = view.steps[step.index];
      return {
        needs: step.needs,
        over: isTerminal(state?.state ?? State.unassigned),
        takes: (from) =>
          left.has(step.index) ? left.get(step.index) : this.#toCome(outlook, step, state, from),
      };
    });
    const done = doneIn(steps);
    return { steps: done, workflow: latest(steps, done) };
  }

  /** A step with jobs that are not over. */
  async #open(wid: string, step: PlanStep, state: StepView): Promise<Span | undefined> {
    const { store, reads, forecasts, progress } = this.#options;
    const cell = store.cellOf(wid);
    const outlook = await forecasts.outlook();
    const from = Math.max(0, state.nextJob - NEWEST);
    const jobs = await reads.jobs(cell, wid, step.index, from, state.nextJob);
    const waiting = jobs.flatMap((job, at) =>
      job?.state === State.unassigned ? [{ wid, step: step.index, ordinal: from + at, job }] : [],
    );
    let last: Span = { p50: 0, p90: 0 };
    const take = (one: Span): void => {
      last = { p50: Math.max(last.p50, one.p50), p90: Math.max(last.p90, one.p90) };
    };
    for (const forecast of await forecasts.of(cell, waiting.slice(-1))) {
      if (forecast === undefined) continue;
      if (!forecast.known) return undefined;
      take({ p50: forecast.doneInP50Ms, p90: forecast.doneInP90Ms });
    }
    const { p50, p90 } = forecasts.bandOf(step.queue);
    for (const [at, job] of jobs.entries()) {
      if (job === undefined || isTerminal(job.state) || job.state === State.unassigned) continue;
      const run = this.#leftOf(outlook, job, progress.of(jobRef(wid, step.index, from + at), job).fraction);
      if (run === undefined) return undefined;
      take({ p50: run, p90: run * Math.max(1, p90 / p50) });
    }
    return last;
  }

  #leftOf(outlook: Outlook, job: JobRecord, fraction: number): number | undefined {
    const run = outlook.runMs(job.queue, job.cost);
    return run === undefined ? undefined : run * (1 - fraction);
  }

  /** A step whose jobs are still to be made. */
  #toCome(outlook: Outlook, step: PlanStep, state: StepView | undefined, from: Span): Span | undefined {
    const { forecasts } = this.#options;
    const jobs = Math.max(1, state?.total ?? 1, plannedJobs(step));
    let backlogMs = 0;
    let cost = step.cost;
    for (const queue of outlook.waiting()) {
      if (queue.name !== step.queue || queue.now === undefined) continue;
      backlogMs = Math.max(backlogMs, outlook.startInMs(queue, queue.now.jobs) ?? 0);
      if (cost === 0) cost = queue.meanCost;
    }
    const run = outlook.runMs(step.queue, cost || 1);
    const throughput = outlook.throughputOf(step.queue);
    if (run === undefined || throughput === 0) return undefined;
    const work = run + (((jobs - 1) * (cost || 1)) / throughput) * 1000;
    const { p50, p90 } = forecasts.bandOf(step.queue);
    return {
      p50: Math.max(0, backlogMs * p50 - from.p50) + work,
      p90: Math.max(0, backlogMs * p90 - from.p90) + work * Math.max(1, p90 / p50),
    };
  }
}

/** Jobs a step will have, as far as its plan tells. */
function plannedJobs({ fanOut }: PlanStep): number {
  if (fanOut?.kind === 'items') return fanOut.items.length;
  return fanOut?.kind === 'count' ? fanOut.count : 1;
}
