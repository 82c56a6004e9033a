/** How long to wait between attempts. Pure: the random number is a parameter. */

const FIRST_MS = 100;
const CAP_MS = 3_000;

/** Exponential with jitter over the upper half, so that many clients do not come back at once. `attempt` from 0. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.5 + random / 2));
}
