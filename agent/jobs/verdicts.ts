/**
 * From what happened to an executor to how its attempt ended. Pure.
 *
 * | happened | verdict | reason |
 * |---|---|---|
 * | InvalidInputError, or the schema refuses | fatal | INVALID_INPUT |
 * | FatalError | fatal | its own, EXECUTOR_ERROR by default |
 * | ResourceError; `setup` or `healthcheck` fails | retryable | its own, RESOURCE_ERROR by default |
 * | memory ran out | retryable | OUT_OF_MEMORY |
 * | anything else thrown | retryable | its own, EXECUTOR_ERROR by default |
 * | the process ended | retryable | EXECUTOR_CRASHED or OUT_OF_MEMORY |
 * | output or yield of the wrong kind | fatal | EXECUTOR_CONTRACT |
 * | output too large | fatal | OUTPUT_TOO_LARGE |
 * | told to stop | canceled | by the reason it was told, see STOP_REASONS |
 * | attempt timeout | timed_out | DEADLINE_EXCEEDED_RUNNING |
 */
import { failureOf } from '../../sdk/executor/failures.ts';
import type { CancelReason, JobResult } from './contract.ts';

/** How an executor ended by itself: a JobResult that knows nothing of cancel, timeout and time. */
export interface Outcome {
  readonly verdict: 'succeeded' | 'retryable' | 'fatal';
  readonly outputJson: string;
  readonly reason: string;
  readonly message: string;
  readonly blockedReason: string;
}

/** Why the host stopped a job, decided before the executor ended: it wins over whatever the executor still says. */
export interface Stop {
  readonly verdict: 'canceled' | 'timed_out';
  readonly signal: CancelReason;
  readonly reason: string;
  readonly message: string;
}

const MAX_MESSAGE = 2000;
/** How runtimes say so: Node, the kernel, Python, CUDA, cuBLAS, HIP, Metal. */
const OUT_OF_MEMORY =
  /out of memory|OutOfMemory|cannot allocate memory|array buffer allocation failed|\bMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation|hipErrorOutOfMemory/i;
const REASON = /^[A-Z][A-Z0-9_]{0,63}$/;

const STOP_REASONS = {
  user: ['CANCELED_BY_USER', 'Canceled by the user.'],
  fail_fast: ['FAIL_FAST', 'Stopped because another step failed.'],
  lease_lost: ['LEASE_LOST', 'The agent no longer holds the job.'],
  deadline: ['DEADLINE_EXCEEDED_RUNNING', 'Stopped at the deadline the coordinator set.'],
  shutdown: ['SHUTDOWN', 'The agent is shutting down.'],
} as const satisfies Record<CancelReason, readonly [string, string]>;

export function succeeded(outputJson: string): Outcome {
  return { verdict: 'succeeded', outputJson, reason: '', message: '', blockedReason: '' };
}

export function failed(
  verdict: 'retryable' | 'fatal',
  reason: string,
  message: string,
  blockedReason = '',
): Outcome {
  return {
    verdict,
    outputJson: '',
    reason: REASON.test(reason) ? reason : 'EXECUTOR_ERROR',
    message: bounded(message),
    blockedReason: bounded(blockedReason),
  };
}

/** `fallback` is the reason of a thrown value that names none. */
export function failedByThrow(thrown: unknown, fallback = 'EXECUTOR_ERROR'): Outcome {
  const message = messageOf(thrown);
  const own = failureOf(thrown);
  if (own !== undefined) return failed(own.verdict, own.reason, message, own.blockedReason);
  return failed('retryable', isOutOfMemory(thrown, message) ? 'OUT_OF_MEMORY' : fallback, message);
}

/** What is known of a process that is gone. */
export interface ExitReport {
  readonly code: number | null;
  readonly signal: string | null;
  /** Its last words on stderr. */
  readonly stderr: string;
  /** The kernel killed a process for memory while this one lived. */
  readonly oomKilled: boolean;
}

export function failedByExit(exit: ExitReport): Outcome {
  const how = exit.signal === null ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
  const outOfMemory =
    exit.code === 137 || (exit.signal === 'SIGKILL' && exit.oomKilled) || OUT_OF_MEMORY.test(exit.stderr);
  const words = exit.stderr === '' ? '' : `: ${exit.stderr}`;
  return failed(
    'retryable',
    outOfMemory ? 'OUT_OF_MEMORY' : 'EXECUTOR_CRASHED',
    `the executor's process ${how}${words}`,
  );
}

export function stopFor(reason: CancelReason): Stop {
  const [code, message] = STOP_REASONS[reason];
  return { verdict: 'canceled', signal: reason, reason: code, message };
}

export function stopForTimeout(timeoutMs: number): Stop {
  return {
    verdict: 'timed_out',
    signal: 'deadline',
    reason: 'DEADLINE_EXCEEDED_RUNNING',
    message: `The attempt ran longer than ${timeoutMs} ms.`,
  };
}

export function stoppedResult(stop: Stop, runMs: number): JobResult {
  const { verdict, reason, message } = stop;
  return { verdict, outputJson: '', reason, message, runMs, blockedReason: '' };
}

/** An end nobody stopped, with the time it took. */
export function finished(outcome: Outcome, runMs: number): JobResult {
  const { verdict, outputJson, reason, message, blockedReason } = outcome;
  return { verdict, outputJson, reason, message, runMs, blockedReason };
}

function isOutOfMemory(thrown: unknown, message: string): boolean {
  const code =
    typeof thrown === 'object' && thrown !== null ? (thrown as { code?: unknown }).code : undefined;
  if (code === 'ENOMEM' || code === 'ERR_WORKER_OUT_OF_MEMORY') return true;
  return OUT_OF_MEMORY.test(message);
}

function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.message === '' ? thrown.name : thrown.message;
}

function bounded(text: string): string {
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE - 1)}…`;
}
