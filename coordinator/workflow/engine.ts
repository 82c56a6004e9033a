/**
 * The engine: decides, purely, what follows from what is known of a workflow.
 *
 * `decide(plan, view, env)` gives the change to commit by compare-and-set on the view's version, or names what
 * must be loaded first. `draft.ts` collects the change, `fates.ts` says how steps and workflows end, this file
 * walks the steps that have news.
 *
 * Invariants:
 * 1. Nothing here reads a clock, a store or randomness: `env` brings outputs, costs and delays.
 * 2. A decision touches the steps with news and their dependents only, unless the whole workflow ends.
 * 3. The same view gives the same decision; a decision applied to a view that moved on is refused by the store.
 * 4. Work per decision is bounded (`JOBS_PER_DECISION`, `BYTES_PER_DECISION`); what is left stands in `again`. News come
 *    first, then steps whose turn has come, then fan-outs that go on, each of them by `EMIT_CHUNK` jobs.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Change } from '../queue/items.ts';
import { Draft, Missing, cursorOf } from './draft.ts';
import { closeEverything, closeStep, failStep, rollUp } from './fates.ts';
import type { Plan } from './plan.ts';
import { isPlanned, outputsRead, stepInputs } from './refs.ts';
import type { InputFailure } from './refs.ts';
import type { WorkflowView } from './view.ts';

/** Jobs one decision emits of one step at most. */
export const EMIT_CHUNK = 256;

export interface DecisionEnv {
  /** Output of a finished step as JSON text; undefined = not loaded. */
  output(step: number): string | undefined;
  /** Cost of one job where the consumer gave none. */
  cost(type: string, inputJson: string): number;
  /** How long the retry of an attempt (1 = the first) waits, milliseconds. */
  retryDelayMs(attempt: number): number;
}

export type Decision =
  | {
      readonly kind: 'decided';
      readonly change: Change;
      readonly seen: number[];
      readonly endState: number;
      /** Something is left to decide as soon as this is committed. */
      readonly more: boolean;
    }
  | { readonly kind: 'missing'; readonly outputs: readonly number[]; readonly steps: readonly number[] };

/** First decision of a workflow: starts every step that needs nothing. */
export function begin(plan: Plan, view: WorkflowView, env: DecisionEnv): Decision {
  return run(plan, view, env, (draft) => {
    startWaiting(draft, 0);
  });
}

/** What follows from the facts since the last decision. */
export function decide(plan: Plan, view: WorkflowView, env: DecisionEnv): Decision {
  return run(plan, view, env, (draft) => {
    if (view.cancel !== 0 && view.closing === 0) {
      const byUser = view.cancel === 1;
      closeEverything(draft, {
        state: byUser ? State.canceled : State.expired,
        reason: byUser ? 'CANCELED_BY_USER' : 'WORKFLOW_TIMEOUT',
        message: byUser ? view.cancelMessage : 'The workflow ran for longer than its timeout.',
        cause: -1,
      });
    }
    for (const index of view.dirty) if (index >= 0) visit(draft, index);
    releaseAll(draft);
    const cursors = view.dirty.map(cursorOf).filter((from) => from !== undefined);
    if (cursors.length > 0) startWaiting(draft, Math.min(...cursors));
    releaseAll(draft);
    for (const index of draft.emitting) goOn(draft, index);
  });
}

/** Ends a workflow that could not be decided: a bug, or an output nobody can handle. */
export function abandon(plan: Plan, view: WorkflowView, env: DecisionEnv): Decision {
  return run(plan, view, env, (draft) => {
    closeEverything(draft, {
      state: State.failed,
      reason: 'INTERNAL',
      message: 'Dibs could not decide what follows; the log of the coordinator says why.',
      cause: -1,
    });
    // What earlier decisions began to close goes on.
    startWaiting(draft, 0);
  });
}

function run(plan: Plan, view: WorkflowView, env: DecisionEnv, body: (draft: Draft) => void): Decision {
  const draft = new Draft(plan, view, env);
  try {
    body(draft);
    releaseAll(draft);
    rollUp(draft);
  } catch (error) {
    if (error instanceof Missing) return { kind: 'missing', outputs: error.outputs, steps: error.steps };
    throw error;
  }
  const again = new Set(draft.again);
  const seen = view.dirty.filter((index) => !again.has(index));
  return {
    kind: 'decided',
    change: draft.change(),
    seen,
    endState: draft.endState,
    more: again.size > 0,
  };
}

/** A step with news: failures first, then what is left to emit, then success. */
function visit(draft: Draft, index: number): void {
  const step = draft.step(index);
  if (isTerminal(step.state)) return;
  if (step.close !== 0) {
    closeStep(draft, index, step.close, step.reason, step.message);
    return;
  }
  const planned = draft.planned(index);
  let seen = 0;
  for (const [ordinal, state, reason, message, attempt, slot, retryable] of step.fails) {
    if (retryable === 1 && attempt <= planned.retries && draft.closing === 0) {
      if (draft.room <= 0) {
        draft.goOn(index);
        break;
      }
      seen++;
      draft.retry(index, slot, attempt + 1, ordinal, draft.env.retryDelayMs(attempt));
    } else {
      failStep(draft, index, state, reason, message);
      return;
    }
  }
  if (seen > 0) draft.alter(index, { failsSeen: seen });
  if (seen < step.fails.length) return;
  if (step.emitted < step.total) draft.emitting.push(index);
  else if (step.open === 0 && step.total >= 0) draft.succeed(index);
}

function releaseAll(draft: Draft): void {
  while (draft.finished.length > 0) release(draft, draft.finished.pop() as number);
}

/** Dependents of a step that is done in a way that satisfies them. */
function release(draft: Draft, index: number): void {
  for (const dependent of draft.planned(index).dependents) {
    const step = draft.step(dependent);
    if (isTerminal(step.state)) continue;
    draft.alter(dependent, { needs: step.needs - 1 });
    if (step.needs === 0 && draft.closing === 0) startStep(draft, dependent);
  }
}

/** Gives every step from `from` on its turn that waits for one, while there is room. */
function startWaiting(draft: Draft, from: number): void {
  for (let index = from; index < draft.view.stepCount; index++) {
    if (draft.room <= 0) {
      draft.wait(index);
      return;
    }
    const step = draft.peek(index);
    if (isTerminal(step.state)) continue;
    if (step.close !== 0) closeStep(draft, index, step.close, step.reason, step.message);
    else if (step.total < 0 && step.needs === 0 && draft.closing === 0) startStep(draft, index);
  }
}

function startStep(draft: Draft, index: number): void {
  const step = draft.step(index);
  if (step.close !== 0 || step.total >= 0) return;
  if (draft.room <= 0) draft.wait(index);
  else emit(draft, index, 0);
}

/** Further jobs of a step that has begun. */
function goOn(draft: Draft, index: number): void {
  const step = draft.step(index);
  if (isTerminal(step.state) || step.close !== 0) return;
  if (draft.room <= 0) draft.goOn(index);
  else emit(draft, index, step.emitted);
}

/** Makes jobs of a step from slot `from` on: as many as there is room for, at most EMIT_CHUNK. */
function emit(draft: Draft, index: number, from: number): void {
  const planned = draft.planned(index);
  if (planned.fanOut === null && planned.input.kind === 'literal') {
    begun(draft, index, 1);
    draft.newJob(index, 0, '', planned.input.json);
    draft.alter(index, { emitted: 1 });
    return;
  }
  draft.needOutputs(outputsRead(planned));
  const inputs = stepInputs(draft.plan, index, (source) => draft.output(source), from);
  if (!inputs.ok) {
    refuse(draft, index, from, inputs);
    return;
  }
  // What the plan tells is not kept again with each job; but for a literal it has to be made.
  const known = isPlanned(planned);
  const literal = planned.input.kind === 'literal';
  const to = Math.min(inputs.total, from + Math.min(EMIT_CHUNK, draft.room));
  let slot = from;
  for (; slot < to; slot++) {
    const input = inputs.inputAt(slot);
    if (!input.ok) {
      refuse(draft, index, from, input);
      return;
    }
    if (!literal && !draft.takeBytes(Buffer.byteLength(input.json))) break;
    draft.newJob(index, slot, known ? '' : input.json, input.json);
  }
  if (from === 0 && slot === 0 && inputs.total > 0) {
    draft.wait(index);
    return;
  }
  if (from === 0) begun(draft, index, inputs.total);
  draft.alter(index, { emitted: slot });
  if (slot < inputs.total) draft.goOn(index);
  else if (inputs.total === 0) draft.succeed(index);
}

function begun(draft: Draft, index: number, total: number): void {
  draft.say('step.ready', index, State.unassigned);
  draft.alter(index, { total });
}

/** An input that cannot be made fails its step. */
function refuse(draft: Draft, index: number, from: number, why: InputFailure): void {
  if (from === 0) draft.say('step.ready', index, State.unassigned);
  failStep(draft, index, State.failed, why.reason, `${why.path}: ${why.message}`);
}
