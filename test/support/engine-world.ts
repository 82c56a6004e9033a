/**
 * A workflow in memory that the engine decides over: the naive counterpart of the Lua scripts' facts and `apply`.
 *
 * Jobs end only when a test says so; decisions are made after every fact, as the shell does.
 */
import { EVENT_TYPES } from '../../sdk/common/events.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import { JOBS_PER_DECISION } from '../../coordinator/workflow/draft.ts';
import { abandon, begin, decide } from '../../coordinator/workflow/engine.ts';
import type { Decision } from '../../coordinator/workflow/engine.ts';
import { stepOutput } from '../../coordinator/workflow/outputs.ts';
import { plannedInput } from '../../coordinator/workflow/refs.ts';
import type { Plan } from '../../coordinator/workflow/plan.ts';
import { compileWorkflow } from '../../coordinator/workflow/spec.ts';
import type { WorkflowSpecInput } from '../../coordinator/workflow/spec-input.ts';
import { freshView } from '../../coordinator/workflow/view.ts';
import type { FailedJob, StepView, WorkflowView } from '../../coordinator/workflow/view.ts';

export interface WorldJob {
  readonly step: number;
  readonly ordinal: number;
  readonly slot: number;
  readonly attempt: number;
  readonly input: string;
  state: number;
  output: string;
  reason: string;
}

export class EngineWorld {
  readonly plan: Plan;
  readonly view: WorkflowView;
  readonly jobs: WorldJob[] = [];
  /** Event names with the step they are about, in order. */
  readonly log: string[] = [];
  decisions = 0;
  #quiet = false;

  constructor(spec: WorkflowSpecInput) {
    const compiled = compileWorkflow(spec, { knownTypes: new Set(), ...{ costOf: () => 1 } });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    this.plan = compiled.plan;
    this.view = freshView(
      this.plan.steps.map((step) => step.needs.length),
      'tenant',
    );
    this.#commit(begin(this.plan, this.view, this.#env()));
    this.settle();
  }

  get open(): WorldJob[] {
    return this.jobs.filter((job) => !isTerminal(job.state));
  }

  step(name: string): StepView {
    return this.view.steps[this.plan.steps.findIndex((step) => step.name === name)] as StepView;
  }

  job(step: string, slot = 0): WorldJob {
    const found = this.open.find((job) => this.plan.steps[job.step]?.name === step && job.slot === slot);
    if (found === undefined) throw new Error(`no open job of ${step}`);
    return found;
  }

  claim(job: WorldJob): void {
    job.state = State.processing;
    const step = this.view.steps[job.step] as StepView;
    step.state = State.processing;
    this.view.state = State.processing;
  }

  succeed(job: WorldJob, output: unknown = {}): void {
    this.claim(job);
    job.state = State.succeeded;
    job.output = JSON.stringify(output);
    const step = this.view.steps[job.step] as StepView;
    step.open--;
    step.ok++;
    if (step.open === 0 || step.close !== 0) this.#fact(job.step);
    this.settle();
  }

  fail(
    job: WorldJob,
    options: { readonly retryable?: boolean; readonly expired?: boolean; readonly reason?: string } = {},
  ): void {
    this.claim(job);
    job.state = options.expired === true ? State.expired : State.failed;
    job.reason = options.reason ?? 'BOOM';
    const step = this.view.steps[job.step] as StepView;
    step.open--;
    step.bad++;
    const failed: FailedJob = [
      job.ordinal,
      job.state,
      job.reason,
      'it broke',
      job.attempt,
      job.slot,
      options.retryable === true ? 1 : 0,
    ];
    step.fails = [...step.fails, failed];
    this.#fact(job.step);
    this.settle();
  }

  cancel(message = ''): void {
    this.view.cancel = 1;
    this.view.cancelMessage = message;
    this.#fact(-1);
    this.settle();
  }

  expire(): void {
    this.view.cancel = 2;
    this.#fact(-1);
    this.settle();
  }

  /** Facts of which no decision is made before all are there. */
  together(facts: () => void): void {
    this.#quiet = true;
    facts();
    this.#quiet = false;
    this.settle();
  }

  /** What the shell does when a decision throws. */
  abandon(): void {
    this.#commit(abandon(this.plan, this.view, this.#env()));
    this.settle();
  }

  /** Decides until nothing is left, as the shell does. */
  settle(): void {
    if (this.#quiet) return;
    while (this.view.dirty.length > 0 && !isTerminal(this.view.state)) {
      this.#commit(decide(this.plan, this.view, this.#env()));
    }
  }

  #fact(step: number): void {
    this.view.facts++;
    if (!this.view.dirty.includes(step)) this.view.dirty = [...this.view.dirty, step];
  }

  #env() {
    return {
      output: (index: number) => {
        const step = this.view.steps[index] as StepView;
        if (step.ok === 0 || step.ok !== step.total) return undefined;
        const jobs = this.jobs.filter((job) => job.step === index);
        return stepOutput(jobs, step.total, this.plan.steps[index]?.fanOut !== null);
      },
      cost: () => 1,
      retryDelayMs: () => 500,
    };
  }

  #commit(decision: Decision): void {
    if (decision.kind !== 'decided') throw new Error(`missing ${JSON.stringify(decision)}`);
    this.decisions++;
    const { view } = this;
    const [workflow, steps, specs, cancels, events, again] = decision.change;
    view.version++;
    const work = specs.length + cancels.reduce((sum, [, from, to]) => sum + to - from, 0);
    if (work > JOBS_PER_DECISION) throw new Error(`a decision about ${work} jobs`);
    const leftover = again.length > 0 && decision.endState === 0;
    if (leftover !== decision.more) throw new Error('more must say whether something is left');
    for (const [index, from, to, reason, unclaimed] of cancels) {
      for (const job of this.jobs.filter(
        (one) => one.step === index && one.ordinal >= from && one.ordinal < to,
      )) {
        if (isTerminal(job.state)) continue;
        job.state = job.state === State.unassigned ? unclaimed : State.canceled;
        job.reason = reason;
        const step = view.steps[index] as StepView;
        step.open--;
        step.bad++;
      }
    }
    for (const [index, state, needs, total, emitted, reason, message, close, closePos, seen] of steps) {
      const step = view.steps[index] as StepView;
      if (state !== 0) {
        if (isTerminal(step.state)) throw new Error(`step ${index} changed after its end`);
        if (isTerminal(state)) {
          view.openSteps--;
          if (state === State.succeeded) view.okSteps++;
          if (step.open !== 0) throw new Error(`step ${index} ended with ${step.open} open jobs`);
        }
        step.state = state;
      }
      if (needs >= 0) step.needs = needs;
      if (total >= 0) step.total = total;
      if (emitted >= 0) step.emitted = emitted;
      if (reason !== '') Object.assign(step, { reason, message });
      if (close >= 0) step.close = close;
      if (closePos >= 0) step.closePos = closePos;
      step.fails = step.fails.slice(seen);
    }
    for (const [code, step] of events) {
      if (this.log.some((line) => /^workflow\.(succeeded|failed|expired|canceled)/.test(line))) {
        throw new Error('an event after the terminal one');
      }
      this.log.push(`${EVENT_TYPES[code]}${step >= 0 ? ` ${this.plan.steps[step]?.name}` : ''}`);
    }
    for (const [index, slot, , , , input, attempt, replaces] of specs) {
      const step = view.steps[index] as StepView;
      if (isTerminal(step.state)) throw new Error(`a job for step ${index}, which has ended`);
      if (step.close !== 0) throw new Error(`a job for step ${index}, which is being closed`);
      if (workflow !== false && isTerminal(workflow[0])) throw new Error('a job after the end');
      const old = this.jobs.find((job) => job.step === index && job.ordinal === replaces);
      if (old !== undefined) step.bad--;
      this.jobs.push({
        step: index,
        ordinal: step.nextJob++,
        slot,
        attempt,
        input: old?.input ?? (input === '' ? plannedInput(this.plan, index, slot) : input),
        state: State.unassigned,
        output: '',
        reason: '',
      });
      step.open++;
    }
    if (workflow !== false) {
      if (workflow[0] !== 0) view.state = workflow[0];
      if (workflow[1] !== '') Object.assign(view, { reason: workflow[1], message: workflow[2] });
      if (workflow[3] >= 0) view.failedStep = workflow[3];
      if (workflow[4] >= 0) view.closing = workflow[4];
    }
    view.dirty = [...new Set([...view.dirty.filter((step) => !decision.seen.includes(step)), ...again])];
  }
}

/** A step of a test's workflow; `needs` by name. */
export function step(name: string, needs: readonly string[] = [], more: object = {}) {
  return { type: 'test', name, inputJson: '{}', dependsOn: needs, ...more };
}
