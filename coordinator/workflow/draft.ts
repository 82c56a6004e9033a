/**
 * A decision under construction: the view with the changes so far applied, and the change to commit.
 *
 * Invariant: `step()` hands out copies made for this decision; the caller's view is never written.
 */
import { EventCode } from '../../sdk/common/events.ts';
import type { EventType } from '../../sdk/common/events.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { CancelRange, Change, JobSpec, LogEvent, StepChange, WorkflowChange } from '../queue/items.ts';
import type { DecisionEnv } from './engine.ts';
import type { Plan, PlanStep } from './plan.ts';
import type { StepView, WorkflowView } from './view.ts';

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
  /** Steps whose work goes on in the next decision. */
  readonly again: number[] = [];
  openSteps: number;
  okSteps: number;
  closing: number;
  failedStep: number;
  endState = 0;
  readonly #steps = new Map<number, StepView>();
  readonly #changes = new Map<number, StepChange>();
  readonly #jobs: JobSpec[] = [];
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
    this.#jobs.push(spec);
    this.step(index).open++;
  }

  /** A replacement job; its input is that of the job it replaces, which the store copies. */
  retry(index: number, slot: number, attempt: number, replaces: number, delayMs: number): void {
    const planned = this.planned(index);
    const cost = planned.cost > 0 ? planned.cost : 0;
    this.#jobs.push([
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
    this.step(index).open++;
  }

  cancelJobs(index: number, from: number, to: number, reason: string, unclaimedState: number): void {
    this.#cancels.push([index, from, to, reason, unclaimedState]);
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
