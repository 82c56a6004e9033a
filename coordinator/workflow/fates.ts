/**
 * How steps and workflows end other than by plain success: the table of fail modes, cancels and timeouts.
 *
 * | what happens            | the step        | started siblings   | steps not started          | workflow ends         |
 * |-------------------------|-----------------|--------------------|----------------------------|-----------------------|
 * | a step fails, fail_fast | failed/expired  | canceled FAIL_FAST | skipped FAIL_FAST          | failed/expired        |
 * | … its dependents        |                 |                    | skipped DEPENDENCY_FAILED  |                       |
 * | a step fails, others    | failed/expired  | go on              | dependents skipped         | failed, or succeeded  |
 * | cancel, timeout         |                 | canceled           | canceled                   | canceled/expired      |
 *
 * Invariant: a workflow ends only after all its steps did, and a step only after all its jobs did; jobs are cleared
 * away in chunks of CANCEL_CHUNK while the decision has room, so the end of a wide fan-out takes several decisions.
 */
import type { EventType } from '../../sdk/common/events.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Draft } from './draft.ts';

/** Jobs one decision cancels of one step at most. */
export const CANCEL_CHUNK = 256;

export interface Ending {
  /** State the workflow will end in. */
  readonly state: number;
  readonly reason: string;
  readonly message: string;
  /** Step that caused it, -1 = none. */
  readonly cause: number;
}

const WORKFLOW_EVENT: Readonly<Record<number, EventType>> = {
  [State.succeeded]: 'workflow.succeeded',
  [State.failed]: 'workflow.failed',
  [State.expired]: 'workflow.expired',
  [State.canceled]: 'workflow.canceled',
};

/** Ends a step, its jobs first. */
export function closeStep(draft: Draft, index: number, state: number, reason: string, message: string): void {
  const step = draft.step(index);
  if (isTerminal(step.state)) return;
  draft.dropJobs(index);
  if (step.nextJob > step.closePos && step.open > 0) {
    if (draft.room <= 0) {
      draft.alter(index, { close: state, reason, message });
      draft.wait(index);
      return;
    }
    const to = Math.min(step.nextJob, step.closePos + Math.min(CANCEL_CHUNK, draft.room));
    const jobReason = state === State.failed || state === State.expired ? 'FAIL_FAST' : reason;
    const unclaimed = jobReason === 'FAIL_FAST' ? State.skipped : State.canceled;
    draft.cancelJobs(index, step.closePos, to, jobReason, unclaimed);
    if (to < step.nextJob) {
      draft.alter(index, { close: state, closePos: to, reason, message });
      draft.goOn(index);
      return;
    }
    draft.alter(index, { closePos: to });
  }
  draft.end(index, state, reason, message);
}

/** A failure that no retry mends. */
export function failStep(draft: Draft, index: number, state: number, reason: string, message: string): void {
  closeStep(draft, index, state, reason, message);
  const failFast = draft.plan.failMode === 'fail_fast';
  if (failFast) {
    if (draft.closing === 0) {
      const expired = state === State.expired;
      closeEverything(draft, {
        state: expired ? State.expired : State.failed,
        reason: expired ? 'STEP_EXPIRED' : 'STEP_FAILED',
        message: `Step "${draft.planned(index).name}" ${expired ? 'ran out of time' : 'failed'}: ${message || reason}`,
        cause: index,
      });
    }
    return;
  }
  if (draft.failedStep < 0) {
    draft.setWorkflow({
      failedStep: index,
      reason: state === State.expired ? 'STEP_EXPIRED' : 'STEP_FAILED',
      message: `Step "${draft.planned(index).name}" failed: ${message || reason}`,
    });
  }
  for (const dependent of dependentsOf(draft, index)) {
    closeStep(
      draft,
      dependent,
      State.skipped,
      'DEPENDENCY_FAILED',
      `Step "${draft.planned(index).name}" did not succeed.`,
    );
  }
}

/** Ends every step that has not ended: fail_fast, a cancel, the workflow's timeout. */
export function closeEverything(draft: Draft, ending: Ending): void {
  draft.setWorkflow({
    closing: ending.state,
    reason: ending.reason,
    message: ending.message,
    ...(ending.cause >= 0 ? { failedStep: ending.cause } : {}),
  });
  const steps = draft.allSteps();
  const dependents = ending.cause >= 0 ? dependentsOf(draft, ending.cause) : new Set<number>();
  for (let index = 0; index < steps.length; index++) {
    const step = steps[index];
    if (step === undefined || isTerminal(step.state) || step.close !== 0) continue;
    if (ending.cause < 0) closeStep(draft, index, State.canceled, ending.reason, ending.message);
    else if (dependents.has(index)) {
      closeStep(
        draft,
        index,
        State.skipped,
        'DEPENDENCY_FAILED',
        `Step "${draft.planned(ending.cause).name}" did not succeed.`,
      );
    } else if (step.state < State.scheduled)
      closeStep(draft, index, State.skipped, 'FAIL_FAST', ending.message);
    else closeStep(draft, index, State.canceled, 'FAIL_FAST', ending.message);
  }
}

/** All that depend on a step, directly or through others. */
function dependentsOf(draft: Draft, index: number): Set<number> {
  const found = new Set<number>();
  const open = [index];
  while (open.length > 0) {
    for (const dependent of draft.planned(open.pop() as number).dependents) {
      if (!found.has(dependent)) {
        found.add(dependent);
        open.push(dependent);
      }
    }
  }
  return found;
}

/** The workflow's own end, once every step has one. */
export function rollUp(draft: Draft): void {
  if (draft.openSteps > 0 || isTerminal(draft.view.state)) return;
  let state: number = State.succeeded;
  if (draft.closing !== 0) state = draft.closing;
  else if (draft.failedStep >= 0 && !(draft.plan.failMode === 'best_effort' && draft.okSteps > 0))
    state = State.failed;
  draft.setWorkflow({ state });
  const change = draft.change()[0];
  const reason =
    state === State.succeeded ? '' : change !== false && change[1] !== '' ? change[1] : draft.view.reason;
  const message = change !== false && change[1] !== '' ? change[2] : draft.view.message;
  draft.say(WORKFLOW_EVENT[state] as EventType, draft.failedStep, state, reason, message);
  draft.endState = state;
}
