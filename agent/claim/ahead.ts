/**
 * How many jobs of a type may wait in the agent beyond those that run. Pure.
 *
 * A job that waits here cannot be won by an idle agent elsewhere; a slot that waits for the next offer is idle for a
 * round trip. So as many may wait as the slots would finish in `AHEAD_MS`, a generous round trip:
 *
 *   ahead = min(MAX_AHEAD, floor(concurrency * AHEAD_MS / mean run time))
 *
 * Long jobs get 0 (nothing waits behind a model that takes seconds), no-ops get 64, the size of a full batch.
 *
 * 1. Until a run time is known: 0 for process isolation, `UNKNOWN_INLINE_AHEAD` for inline executors.
 * 2. A number given by the owner is used as it is, for every type.
 */

export const AHEAD_MS = 20;
export const MAX_AHEAD = 64;
const UNKNOWN_INLINE_AHEAD = 4;

export type Prefetch = 'auto' | number;

/** The most that may ever wait of one type under this policy. */
export function maxAhead(prefetch: Prefetch): number {
  return prefetch === 'auto' ? MAX_AHEAD : prefetch;
}

/** Jobs that may wait; `meanRunMs` undefined = no job of the type has finished yet. */
export function aheadOf(
  prefetch: Prefetch,
  executor: { readonly isolation: 'process' | 'inline'; readonly concurrency: number },
  meanRunMs: number | undefined,
): number {
  if (prefetch !== 'auto') return prefetch;
  if (meanRunMs === undefined) return executor.isolation === 'inline' ? UNKNOWN_INLINE_AHEAD : 0;
  if (meanRunMs <= 0) return MAX_AHEAD;
  return Math.min(MAX_AHEAD, Math.floor((executor.concurrency * AHEAD_MS) / meanRunMs));
}
