/**
 * A decision under construction: the view with the changes so far applied, and the change to commit.
 *
 * Invariants:
 * 1. `step()` hands out copies made for this decision; the caller's view is never written.
 * 2. A step that is closed keeps no job made in the same decision.
 * 3. A decision makes and cancels `JOBS_PER_DECISION` jobs at most, with `BYTES_PER_DECISION` of input, but for its first.
 *    Steps whose turn has not come stand behind a cursor in `again`: -2 - index = look at all steps from index on.
 */
import { EventCode } from '../../sdk/common/events.ts';
import type { EventType } from '../../sdk/common/events.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { CancelRange, Change, JobSpec, LogEvent, StepChange, WorkflowChange } from '../queue/items.ts';
import type { DecisionEnv } from './engine.ts';
import type { Plan, PlanStep } from './plan.ts';
import type { StepView, WorkflowView } from './view.ts';

/** Jobs one decision makes and cancels at most: a script of some ten milliseconds. */
export const JOBS_PER_DECISION = 512;

/** Inputs of the jobs one decision makes, bytes; a larger first one still goes. */
export const BYTES_PER_DECISION = 4 * 1_048_576;

/** Steps asked for at once while looking for those whose turn has come. */
const STEPS_AT_ONCE = 1024;

/** Where in `dirty` an entry says from which step on to look; undefined = it is a step, or -1 for the workflow. */
export function cursorOf(entry: number): number | undefined {
  return entry < -1 ? -2 - entry : undefined;
}

/** Ends a decision early: it needs outputs or step chunks that were not loaded. */
export class Missing extends Error {
  readonly outputs: readonly number[];
  readonly steps: readonly number[];

  constructor(outputs: readonly number[], steps: readonly number[]) {
    super('more to load');
    this.outputs = outputs;
    this.steps = steps;
  }
}

/** What a decision may write to a step; absent = unchanged. */
export interface StepAlteration {
  readonly state?: number;
  readonly needs?: number;
  readonly total?: number;
  readonly emitted?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly close?: number;
  readonly closePos?: number;
  readonly failsSeen?: number;
}

const STEP_EVENT: Readonly<Record<number, EventType>> = {
  [State.succeeded]: 'step.succeeded',
  [State.failed]: 'step.failed',
  [State.expired]: 'step.expired',
  [State.canceled]: 'step.canceled',
  [State.skipped]: 'step.skipped',
};

export class Draft {
  readonly plan: Plan;
  readonly view: WorkflowView;
  readonly env: DecisionEnv;
  /** Steps that ended in a way that satisfies dependents, not yet propagated. */
  readonly finished: number[] = [];
  /** Steps that have begun to make jobs and could go on. */
  readonly emitting: number[] = [];
  /** Jobs this decision may still make or cancel. */
  room = JOBS_PER_DECISION;
  openSteps: number;
  okSteps: number;
  closing: number;
  failedStep: number;
  endState = 0;
  readonly #steps = new Map<number, StepView>();
  readonly #changes = new Map<number, StepChange>();
  #jobs: JobSpec[] = [];
  /** Jobs made in this decision by step. */
  readonly #made = new Map<number, number>();
  #bytes = 0;
  readonly #unfinished = new Set<number>();
  /** First step whose turn has not come. */
  #waiting = Infinity;
  readonly #cancels: CancelRange[] = [];
  readonly #events: LogEvent[] = [];
  #workflow: WorkflowChange | false = false;

  constructor(plan: Plan, view: WorkflowView, env: DecisionEnv) {
    this.plan = plan;
    this.view = view;
    this.env = env;
    this.openSteps = view.openSteps;
    this.okSteps = view.okSteps;
    this.closing = view.closing;
    this.failedStep = view.failedStep;
  }

  planned(index: number): PlanStep {
    return this.plan.steps[index] as PlanStep;
  }

  step(index: number): StepView {
    let step = this.#steps.get(index);
    if (step === undefined) {
      const seen = this.view.steps[index];
      if (seen === undefined) throw new Missing([], [index]);
      step = { ...seen };
      this.#steps.set(index, step);
    }
    return step;
  }

  /** As `step`, not for changes; asks for the steps that follow as well. */
  peek(index: number): Readonly<StepView> {
    const step = this.#steps.get(index) ?? this.view.steps[index];
    if (step !== undefined) return step;
    const holes: number[] = [];
    const to = Math.min(this.view.stepCount, index + STEPS_AT_ONCE);
    for (let at = index; at < to; at++) if (this.view.steps[at] === undefined) holes.push(at);
    throw new Missing([], holes);
  }

  /** The step's work goes on in the next decision. */
  goOn(index: number): void {
    this.#unfinished.add(index);
  }

  /** The step's turn has not come: there was no room. */
  wait(index: number): void {
    this.#waiting = Math.min(this.#waiting, index);
  }

  /** What the next decision has to look at. */
  get again(): number[] {
    if (this.endState !== 0) return [];
    return this.#waiting === Infinity ? [...this.#unfinished] : [...this.#unfinished, -2 - this.#waiting];
  }

  /** Takes room for an input; without any, this decision makes no further jobs. */
  takeBytes(bytes: number): boolean {
    const taken = this.#bytes + bytes;
    if (this.#bytes > 0 && taken > BYTES_PER_DECISION) {
      this.room = 0;
      return false;
    }
    this.#bytes = taken;
    return true;
  }

  /** Asks for every step at once, where the whole workflow is concerned. */
  allSteps(): readonly StepView[] {
    const holes: number[] = [];
    for (let index = 0; index < this.view.stepCount; index++) {
      if (this.view.steps[index] === undefined) holes.push(index);
    }
    if (holes.length > 0) throw new Missing([], holes);
    return this.plan.steps.map((planned) => this.step(planned.index));
  }

  /** Asks for every output that is not at hand, all at once. */
  needOutputs(sources: readonly number[]): void {
    const missing = sources.filter((source) => this.#known(source) === undefined);
    if (missing.length > 0) throw new Missing(missing, []);
  }

  /** JSON text; null for a skipped step. */
  output(index: number): string | null {
    const known = this.#known(index);
    if (known === undefined) throw new Missing([index], []);
    return known;
  }

  #known(index: number): string | null | undefined {
    const loaded = this.env.output(index);
    if (loaded !== undefined) return loaded;
    const step = this.step(index);
    if (step.state !== State.succeeded) return null;
    return step.total === 0 ? '{"items":[]}' : undefined;
  }

  alter(index: number, to: StepAlteration): void {
    const step = this.step(index);
    let change = this.#changes.get(index);
    if (change === undefined) {
      change = [index, 0, -1, -1, -1, '', '', -1, -1, 0];
      this.#changes.set(index, change);
    }
    if (to.state !== undefined) change[1] = step.state = to.state;
    if (to.needs !== undefined) change[2] = step.needs = to.needs;
    if (to.total !== undefined) change[3] = step.total = to.total;
    if (to.emitted !== undefined) change[4] = step.emitted = to.emitted;
    if (to.reason !== undefined) change[5] = step.reason = to.reason;
    if (to.message !== undefined) change[6] = step.message = to.message;
    if (to.close !== undefined) change[7] = step.close = to.close;
    if (to.closePos !== undefined) change[8] = step.closePos = to.closePos;
    if (to.failsSeen !== undefined) change[9] = to.failsSeen;
  }

  /** A step's terminal state, with its event. */
  end(index: number, state: number, reason: string, message: string): void {
    if (isTerminal(this.step(index).state)) return;
    this.alter(index, { state, reason, message });
    this.openSteps--;
    if (state === State.succeeded) this.okSteps++;
    this.say(STEP_EVENT[state] as EventType, index, state, reason, message);
  }

  succeed(index: number): void {
    this.end(index, State.succeeded, '', '');
    this.finished.push(index);
  }

  say(type: EventType, step: number, state: number, reason = '', message = ''): void {
    this.#events.push(
      reason === ''
        ? [EventCode[type], step, -1, state]
        : [EventCode[type], step, -1, state, '', reason, message],
    );
  }

  newJob(index: number, slot: number, stored: string, inputJson: string): void {
    const planned = this.planned(index);
    const cost = planned.cost > 0 ? planned.cost : this.env.cost(planned.type, inputJson);
    const spec: JobSpec = [
      index,
      slot,
      planned.queue,
      planned.band,
      cost,
      stored,
      1,
      -1,
      0,
      planned.queueTimeoutMs,
    ];
    this.#add(spec);
  }

  #add(spec: JobSpec): void {
    this.#jobs.push(spec);
    this.#made.set(spec[0], (this.#made.get(spec[0]) ?? 0) + 1);
    this.step(spec[0]).open++;
    this.room--;
  }

  /** Takes back the jobs this decision made for a step. */
  dropJobs(index: number): void {
    const made = this.#made.get(index) ?? 0;
    if (made === 0) return;
    this.#made.delete(index);
    this.#jobs = this.#jobs.filter(([step]) => step !== index);
    this.step(index).open -= made;
  }

  /** A replacement job; its input is that of the job it replaces, which the store copies. */
  retry(index: number, slot: number, attempt: number, replaces: number, delayMs: number): void {
    const planned = this.planned(index);
    const cost = planned.cost > 0 ? planned.cost : 0;
    this.#add([
      index,
      slot,
      planned.queue,
      planned.band,
      cost,
      '',
      attempt,
      replaces,
      delayMs,
      planned.queueTimeoutMs,
    ]);
  }

  cancelJobs(index: number, from: number, to: number, reason: string, unclaimedState: number): void {
    this.#cancels.push([index, from, to, reason, unclaimedState]);
    this.room -= to - from;
  }

  setWorkflow(to: {
    state?: number;
    reason?: string;
    message?: string;
    failedStep?: number;
    closing?: number;
  }): void {
    const change: WorkflowChange = this.#workflow === false ? [0, '', '', -1, -1] : this.#workflow;
    if (to.state !== undefined) change[0] = to.state;
    if (to.reason !== undefined) change[1] = to.reason;
    if (to.message !== undefined) change[2] = to.message;
    if (to.failedStep !== undefined) change[3] = this.failedStep = to.failedStep;
    if (to.closing !== undefined) change[4] = this.closing = to.closing;
    this.#workflow = change;
  }

  change(): Change {
    return [this.#workflow, [...this.#changes.values()], this.#jobs, this.#cancels, this.#events, this.again];
  }
}
