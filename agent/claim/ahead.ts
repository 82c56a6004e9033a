/**
 * How many jobs of a type may wait in the agent beyond those that run. Pure.
 *
 * A job that waits here cannot be won by an idle agent elsewhere; a slot that waits for the next offer is idle for a
 * round trip. So as many may wait as the slots would finish in `AHEAD_MS`, a generous round trip:
 *
 *   ahead = min(MAX_AHEAD, floor(concurrency * AHEAD_MS / mean run time))
 *
 * Jobs that began together end together: of short ones (up to SHORT_MS) that end every few milliseconds (AHEAD_MS / 2) on the average
 * as many may wait as run, so that such a burst finds its next jobs here. Long jobs get 0 (nothing waits behind a model that takes seconds),
 * no-ops get 64, the size of a full batch, or more where more run at once.
 *
 * 1. Until a run time is known: 0 for process isolation, `UNKNOWN_INLINE_AHEAD` for inline executors.
 * 2. A number given by the owner is used as it is, for every type.
 */

export const AHEAD_MS = 20;
export const MAX_AHEAD = 64;
export const SHORT_MS = 200;
/** Of short jobs, however many run at once. */
export const MAX_BURST = 256;
const UNKNOWN_INLINE_AHEAD = 4;

export type Prefetch = 'auto' | number;

/** The most that may ever wait of one type under this policy. */
export function maxAhead(prefetch: Prefetch): number {
  return prefetch === 'auto' ? MAX_BURST : prefetch;
}

/** Jobs that may wait; `meanRunMs` undefined = no job of the type has finished yet. */
export function aheadOf(
  prefetch: Prefetch,
  executor: { readonly isolation: 'process' | 'inline'; readonly concurrency: number },
  meanRunMs: number | undefined,
): number {
  if (prefetch !== 'auto') return prefetch;
  if (meanRunMs === undefined) return executor.isolation === 'inline' ? UNKNOWN_INLINE_AHEAD : 0;
  const { concurrency } = executor;
  const often = meanRunMs <= SHORT_MS && meanRunMs / concurrency <= AHEAD_MS / 2;
  const burst = often ? Math.min(MAX_BURST, concurrency) : 0;
  if (meanRunMs <= 0) return Math.max(burst, MAX_AHEAD);
  return Math.max(burst, Math.min(MAX_AHEAD, Math.floor((concurrency * AHEAD_MS) / meanRunMs)));
}
