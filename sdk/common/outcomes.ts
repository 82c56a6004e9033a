/**
 * Reasons with which jobs, steps and workflows end other than succeeded.
 *
 * Unlike `errors.ts` these never travel as a refused call: they are facts about finished work.
 */
export const OUTCOME_REASONS = {
  STEP_FAILED: 'A step failed; failedStep names it.',
  STEP_EXPIRED: 'A step ran out of time; failedStep names it.',
  FAIL_FAST: 'Stopped because another step failed.',
  DEPENDENCY_FAILED: 'A step it depends on did not succeed.',
  CONDITION_FALSE: 'Its condition was false.',
  CANCELED_BY_USER: 'Somebody canceled it.',
  INPUT_UNRESOLVED: 'A reference in the input found nothing.',
  INPUT_TOO_LARGE: 'The resolved input is larger than a job may carry.',
  INVALID_INPUT: 'The executor refused the input.',
  EXECUTOR_ERROR: 'The executor threw an error.',
  EXECUTOR_CRASHED: 'The process of the executor ended.',
  EXECUTOR_CONTRACT: 'The executor broke its contract.',
  OUTPUT_TOO_LARGE: 'The output is larger than a job may return.',
  OUT_OF_MEMORY: 'The executor ran out of memory.',
  RESOURCE_ERROR: 'Something the executor needs was not there.',
  DEADLINE_EXCEEDED_QUEUED: 'It waited in its queue for longer than allowed.',
  DEADLINE_EXCEEDED_RUNNING: 'An attempt ran for longer than allowed.',
  WORKFLOW_TIMEOUT: 'The workflow ran for longer than allowed.',
  RECOVERY_EXHAUSTED: 'It stalled more often than it may be recovered.',
  NO_ELIGIBLE_AGENT: 'No connected agent can run it.',
  LEASE_LOST: 'The agent no longer holds the job.',
  CANARY_FAILED: 'An agent on trial failed it; that counts for nothing.',
  REQUEUED: 'An operator put it elsewhere.',
  REPLACED: 'A retry replaced this attempt.',
  INTERNAL: 'A bug of Dibs or an output it cannot handle.',
  SHUTDOWN: 'The agent is shutting down.',
} as const satisfies Record<string, string>;

export type OutcomeReason = keyof typeof OUTCOME_REASONS;
