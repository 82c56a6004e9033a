/** Short names for the messages of `dibs.v1.AgentService.Session` and the two conversions the agent needs. */
import type { Plain } from '../../proto/gen/load.ts';
import { Verdict } from '../../proto/gen/index.ts';
import type {
  Advertisement__Output,
  AgentMessage__Output,
  CancelJob__Output,
  CompletionAck__Output,
  Condition__Output,
  Control__Output,
  CoordinatorMessage__Output,
  Drain__Output,
  EmitAck__Output,
  Heartbeat__Output,
  HeldJob__Output,
  Hello__Output,
  JobChunk__Output,
  JobCompletion__Output,
  JobEmit__Output,
  JobPreparing__Output,
  JobProgress__Output,
  JobRelease__Output,
  JobUpdate__Output,
  Offer__Output,
  PreloadHint__Output,
  Verdict__Output,
  Welcome__Output,
} from '../../proto/gen/index.ts';
import type { CancelReason, JobResult } from '../jobs/contract.ts';

/** What goes up. */
export type Up = Plain<AgentMessage__Output>;
export type Hello = Plain<Hello__Output>;
export type Advertisement = Plain<Advertisement__Output>;
export type HeldJobReport = Plain<HeldJob__Output>;
export type JobUpdate = Plain<JobUpdate__Output>;
export type JobRelease = Plain<JobRelease__Output>;
export type JobProgress = Plain<JobProgress__Output>;
export type JobChunk = Plain<JobChunk__Output>;
export type JobEmit = Plain<JobEmit__Output>;
export type JobCompletion = Plain<JobCompletion__Output>;
export type Heartbeat = Plain<Heartbeat__Output>;
export type Condition = Plain<Condition__Output>;
export type JobPreparing = Plain<JobPreparing__Output>;
export type DrainNotice = Plain<Drain__Output>;

/** What comes down. */
export type Down = CoordinatorMessage__Output;
export type Welcome = Welcome__Output;
export type Offer = Offer__Output;
export type CompletionAck = CompletionAck__Output;
export type CancelJob = CancelJob__Output;
export type EmitAck = EmitAck__Output;
export type PreloadHint = PreloadHint__Output;
export type Control = Control__Output;

const VERDICTS = {
  succeeded: Verdict.VERDICT_SUCCEEDED,
  retryable: Verdict.VERDICT_RETRYABLE,
  fatal: Verdict.VERDICT_FATAL,
  canceled: Verdict.VERDICT_CANCELED,
  timed_out: Verdict.VERDICT_TIMED_OUT,
} as const satisfies Record<JobResult['verdict'], Verdict__Output>;

export function verdictOf(verdict: JobResult['verdict']): Verdict__Output {
  return VERDICTS[verdict];
}

const CANCEL_REASONS: readonly string[] = [
  'user',
  'deadline',
  'lease_lost',
  'shutdown',
  'fail_fast',
] satisfies CancelReason[];

/** A reason this agent does not know yet is a person's wish: it still cancels. */
export function cancelReasonOf(word: string): CancelReason {
  return CANCEL_REASONS.includes(word) ? (word as CancelReason) : 'user';
}

/** `JobUpdate.age_ms` for something that happened at `at`: at most 0, within int32. */
export function ageMs(at: number, now: number): number {
  return Math.max(-2_147_483_647, Math.min(0, Math.round(at - now)));
}
