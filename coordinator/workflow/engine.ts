/**
 * The engine: decides, purely, what follows from what is known of a workflow.
 *
 * `decide(plan, view, env)` gives the change to commit by compare-and-set on the view's version, or names what
 * must be loaded first. `draft.ts` collects the change, `fates.ts` says how steps and workflows end, this file
 * walks the steps that have news.
 *
 * Invariants:
 * 1. Nothing here reads a clock, a store or randomness: `env` brings outputs, costs and jitter.
 * 2. A decision touches the steps with news and their dependents only, unless the whole workflow ends.
 * 3. The same view gives the same decision; a decision applied to a view that moved on is refused by the store.
 * 4. Work per decision is bounded (`EMIT_CHUNK`, `CANCEL_CHUNK`); what is left stands in `again`.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Change } from '../queue/items.ts';
import { Draft, Missing } from './draft.ts';
import { closeEverything, closeStep, failStep, rollUp } from './fates.ts';
import type { Plan } from './plan.ts';
import { outputsRead, stepInputs } from './refs.ts';
import type { WorkflowView } from './view.ts';

/** Jobs one decision emits at most. */
export const EMIT_CHUNK = 256;

/** Base and ceiling of the retry backoff, milliseconds. */
const BACKOFF_BASE_MS = 1000;
const BACKOFF_MAX_MS = 60_000;

export interface DecisionEnv {
  /** Output of a finished step as JSON text; undefined = not loaded. */
  output(step: number): string | undefined;
  /** Cost of one job where the consumer gave none. */
  cost(type: string, inputJson: string): number;
  /** 0 to 1: full jitter of the retry backoff. */
  jitter(): number;
}

export type Decision =
  | { readonly kind: 'decided'; readonly change: Change; readonly seen: number[]; readonly endState: number }
  | { readonly kind: 'missing'; readonly outputs: readonly number[]; readonly steps: readonly number[] };

/** First decision of a workflow: starts every step that needs nothing. */
export function begin(plan: Plan, view: WorkflowView, env: DecisionEnv): Decision {
  return run(plan, view, env, (draft) => {
    for (const step of plan.steps) if (step.needs.length === 0) startStep(draft, step.index);
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
  });
}

function run(plan: Plan, view: WorkflowView, env: DecisionEnv, body: (draft: Draft) => void): Decision {
  const draft = new Draft(plan, view, env);
  try {
    body(draft);
    while (draft.finished.length > 0) release(draft, draft.finished.pop() as number);
    rollUp(draft);
  } catch (error) {
    if (error instanceof Missing) return { kind: 'missing', outputs: error.outputs, steps: error.steps };
    throw error;
  }
  const again = draft.again;
  const seen = view.dirty.filter((index) => !again.includes(index));
  return { kind: 'decided', change: draft.change(), seen, endState: draft.endState };
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
  let retried = 0;
  for (const [ordinal, state, reason, message, attempt, slot, retryable] of step.fails) {
    if (retryable === 1 && attempt <= planned.retries && draft.closing === 0) {
      retried++;
      const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1));
      const delay = Math.max(1, Math.round(ceiling * draft.env.jitter()));
      draft.retry(index, slot, attempt + 1, ordinal, delay);
    } else {
      failStep(draft, index, state, reason, message);
      return;
    }
  }
  if (step.fails.length > 0) draft.alter(index, { failsSeen: step.fails.length });
  if (step.emitted < step.total) {
    emit(draft, index, step.emitted);
    return;
  }
  if (step.open + retried === 0 && step.total >= 0) draft.succeed(index);
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

function startStep(draft: Draft, index: number): void {
  draft.say('step.ready', index, State.unassigned);
  emit(draft, index, 0);
}

/** Emits the jobs of a step from slot `from` on, at most EMIT_CHUNK of them. */
function emit(draft: Draft, index: number, from: number): void {
  const planned = draft.planned(index);
  if (planned.fanOut === null && planned.input.kind === 'literal') {
    draft.alter(index, { total: 1, emitted: 1 });
    draft.newJob(index, 0, '', planned.input.json);
    return;
  }
  draft.needOutputs(outputsRead(planned));
  const inputs = stepInputs(draft.plan, index, (source) => draft.output(source), from);
  if (!inputs.ok) {
    failStep(draft, index, State.failed, inputs.reason, `${inputs.path}: ${inputs.message}`);
    return;
  }
  const to = Math.min(inputs.total, from + EMIT_CHUNK);
  const made: string[] = [];
  for (let slot = from; slot < to; slot++) {
    const input = inputs.inputAt(slot);
    if (!input.ok) {
      failStep(draft, index, State.failed, input.reason, `${input.path}: ${input.message}`);
      return;
    }
    made.push(input.json);
  }
  // A literal is not kept again with each job: the claim reads it from the plan.
  const literal = planned.input.kind === 'literal';
  made.forEach((json, offset) => draft.newJob(index, from + offset, literal ? '' : json, json));
  draft.alter(index, { total: inputs.total, emitted: to });
  if (to < inputs.total) draft.again.push(index);
  else if (inputs.total === 0) draft.succeed(index);
}
