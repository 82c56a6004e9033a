/**
 * How long a retry waits: exponential with full jitter, so that what failed together does not come back together.
 */
import { DEFAULT_TIMES } from '../times.ts';

export interface RetryBackoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

export const DEFAULT_BACKOFF: RetryBackoff = {
  baseMs: DEFAULT_TIMES.retryBackoffMs,
  maxMs: DEFAULT_TIMES.retryBackoffMaxMs,
};

/** Of the retry of attempt `attempt` (1 = the first); `random` is 0 to 1. At least 1 ms: a timer is set for it. */
export function retryDelayMs({ baseMs, maxMs }: RetryBackoff, attempt: number, random: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 40));
  return Math.max(1, Math.round(ceiling * random));
}
