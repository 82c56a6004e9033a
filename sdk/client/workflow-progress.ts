/**
 * How far a workflow is, step by step, folded from its events: what a progress bar draws.
 *
 * Start it from any snapshot for the steps' names and order, then apply the events from the first one on. Invariant:
 * no job counts twice, however often it was recovered; a `resync` replaces everything known.
 */
import type { Json } from '../common/json.ts';
import { isJsonObject } from '../common/json.ts';
import type { StateName } from '../common/states.ts';
import { isTerminalStatus } from './events.ts';
import type { LogEvent, WatchEvent } from './events.ts';
import type { WorkflowView } from './views.ts';

export interface StepProgress {
  readonly name: string;
  readonly type: string;
  readonly status: StateName;
  /** Jobs known so far; 0 before the step is ready. */
  readonly total: number;
  readonly succeeded: number;
  /** Failed, expired, canceled, skipped. */
  readonly failed: number;
  readonly running: number;
  /** 0 to 1, running jobs counted by their own progress. */
  readonly fraction: number;
}

interface JobState {
  status: StateName;
  progress: number;
}

interface StepState {
  readonly name: string;
  readonly type: string;
  status: StateName;
  /** Known total; 0 = count the jobs. */
  total: number;
  /** Finished before the events that were applied. */
  before: { succeeded: number; failed: number };
  readonly jobs: Map<string, JobState>;
}

export class WorkflowProgress {
  #status: StateName = 'unassigned';
  #steps = new Map<string, StepState>();
  /** Agent → jobs it succeeded in. */
  readonly agents = new Map<string, number>();

  constructor(snapshot: Pick<WorkflowView, 'steps'>) {
    for (const { name, type, jobsTotal } of snapshot.steps) {
      this.#steps.set(name, newStep(name, type, jobsTotal));
    }
  }

  get status(): StateName {
    return this.#status;
  }

  get steps(): StepProgress[] {
    return [...this.#steps.values()].map(summary);
  }

  apply(event: WatchEvent): void {
    if (event.type === 'resync') return this.#restart(event.workflow);
    if (event.step === null) {
      this.#status = event.status;
      return;
    }
    const step = this.#step(event.step);
    if (event.jobId === null) {
      step.status = event.status;
    } else {
      this.#applyJob(step, event.jobId, event);
    }
  }

  #applyJob(step: StepState, jobId: string, event: LogEvent): void {
    const job = step.jobs.get(jobId) ?? { status: 'unassigned', progress: 0 };
    step.jobs.set(jobId, job);
    if (isTerminalStatus(job.status)) return;
    job.status = event.status;
    if (event.type === 'job.progress') job.progress = numberIn(event.data, 'progress') ?? job.progress;
    if (event.type === 'job.succeeded' && event.agentId !== null) {
      this.agents.set(event.agentId, (this.agents.get(event.agentId) ?? 0) + 1);
    }
  }

  #restart(snapshot: WorkflowView): void {
    this.#status = snapshot.status;
    this.#steps = new Map();
    for (const { name, type, status, jobsTotal, jobsSucceeded, jobsFailed } of snapshot.steps) {
      const step = newStep(name, type, jobsTotal);
      step.status = status;
      step.before = { succeeded: jobsSucceeded, failed: jobsFailed };
      this.#steps.set(name, step);
    }
  }

  #step(name: string): StepState {
    let step = this.#steps.get(name);
    if (step === undefined) this.#steps.set(name, (step = newStep(name, '', 0)));
    return step;
  }
}

function newStep(name: string, type: string, total: number): StepState {
  return { name, type, status: 'unassigned', total, before: { succeeded: 0, failed: 0 }, jobs: new Map() };
}

function summary(step: StepState): StepProgress {
  let { succeeded, failed } = step.before;
  let running = 0;
  let partly = 0;
  for (const { status, progress } of step.jobs.values()) {
    if (status === 'succeeded') succeeded += 1;
    else if (isTerminalStatus(status)) failed += 1;
    else if (status === 'processing') {
      running += 1;
      partly += progress;
    }
  }
  const { name, type, status } = step;
  const seen = step.jobs.size + step.before.succeeded + step.before.failed;
  // While the step goes on, a failed job is one that a retry replaces.
  const total = step.total > 0 ? step.total : isTerminalStatus(status) ? seen : seen - failed;
  const over = status === 'succeeded' || status === 'skipped';
  const fraction = over ? 1 : total === 0 ? 0 : Math.min(1, (succeeded + partly) / total);
  return { name, type, status, total, succeeded, failed, running, fraction };
}

function numberIn(data: Json, key: string): number | undefined {
  const value = isJsonObject(data) ? data[key] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
