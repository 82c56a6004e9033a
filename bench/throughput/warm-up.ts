/**
 * Warms a system up until its code is compiled, and tells how fast it is by then.
 *
 * Job numbers run on over warm-ups and rounds, so that no request id comes twice.
 */
import { runRound } from './round.ts';
import type { SystemUnderTest } from './round.ts';

const WARM_UP_MS = 3000;
const CHUNK = 4000;

export class JobNumbers {
  #next = 1;

  /** The first of `count` fresh numbers. */
  take(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }
}

/** Jobs per second at the end of the warm-up. */
export async function warmUp(
  system: SystemUnderTest,
  numbers: JobNumbers,
  window: number,
  forMs: number = WARM_UP_MS,
): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const { perSecond } = await runRound(system, { first: numbers.take(CHUNK), jobs: CHUNK, window });
    if (performance.now() - startedAt > forMs) return perSecond;
  }
}
