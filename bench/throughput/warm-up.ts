/**
 * Warms a system up until its code is compiled, and tells how fast it is by then.
 *
 * Job numbers run on over warm-ups and rounds, so that no request id comes twice.
 */
import { runRound } from './round.ts';
import type { SystemUnderTest } from './round.ts';

export class JobNumbers {
  #next = 1;

  /** The first of `count` fresh numbers. */
  take(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }
}

/** Flows per second at the end of the warm-up: `stretch` flows at a time until `forMs` have passed. */
export async function warmUp(
  system: SystemUnderTest,
  numbers: JobNumbers,
  window: number,
  stretch: number,
  forMs: number,
): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const { perSecond } = await runRound(system, { first: numbers.take(stretch), jobs: stretch, window });
    if (performance.now() - startedAt > forMs) return perSecond;
  }
}
