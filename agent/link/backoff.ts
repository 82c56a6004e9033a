/**
 * How long to wait before the next attempt to reach a coordinator. Pure: randomness is a parameter.
 *
 * 1. Full jitter: uniform in [0, min(capMs, baseMs * 2^failures)), so a fleet never comes back in step.
 * 2. Failures are forgotten only after a session that lived `stableMs`: one that dies at once must compound.
 */

export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
  readonly stableMs: number;
}

export const LINK_BACKOFF: BackoffPolicy = { baseMs: 250, capMs: 30_000, stableMs: 10_000 };

/** Wait after `failures` attempts in a row that did not last; `random` in [0, 1). */
export function backoffMs(failures: number, policy: BackoffPolicy, random: number): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failures, 30));
  return Math.floor(random * ceiling);
}

/** Failure count after an attempt whose session lived `uptimeMs` (0 = never got a welcome). */
export function failuresAfter(failures: number, uptimeMs: number, policy: BackoffPolicy): number {
  return uptimeMs >= policy.stableMs ? 0 : failures + 1;
}
