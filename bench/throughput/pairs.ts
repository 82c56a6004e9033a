/**
 * The rounds of a run: each round measures every side once, one right after the other.
 *
 * On a machine that others use too, a round in which they took more than QUIET_CORES on any side says little about
 * either, so it is made again, up to MAX_REPEATS times as many in all. What counts is then decided by what others used,
 * never by what the sides achieved.
 */
import type { Side } from './options.ts';
import type { Round } from './round.ts';

/** Cores others may use before a round stops meaning much. */
const QUIET_CORES = 0.2;
const MAX_REPEATS = 3;
/** Quiet rounds that are enough to leave the others out. */
const ENOUGH = 3;

export type Pair = Readonly<Partial<Record<Side, Round>>>;

export interface CountedPairs {
  readonly pairs: readonly Pair[];
  /** All of them were quiet. */
  readonly quiet: boolean;
  /** Rounds that were measured and left out. */
  readonly leftOut: number;
}

export async function measurePairs(
  rounds: number,
  sides: readonly Side[],
  measure: (side: Side, number: number) => Promise<Round>,
): Promise<CountedPairs> {
  const all: Pair[] = [];
  while (all.filter(isQuiet).length < rounds && all.length < rounds * MAX_REPEATS) {
    // Whoever goes first changes, so that a machine that slows down or recovers favours neither.
    const order = all.length % 2 === 0 ? sides : sides.toReversed();
    const pair: Partial<Record<Side, Round>> = {};
    for (const side of order) pair[side] = await measure(side, all.length + 1);
    all.push(pair);
  }
  return countedPairs(all, rounds);
}

/** The quiet ones where there are enough, else all. */
export function countedPairs(all: readonly Pair[], rounds: number): CountedPairs {
  const quiet = all.filter(isQuiet).slice(0, rounds);
  if (quiet.length < Math.min(ENOUGH, rounds)) return { pairs: all, quiet: false, leftOut: 0 };
  return { pairs: quiet, quiet: true, leftOut: all.length - quiet.length };
}

function isQuiet(pair: Pair): boolean {
  return Object.values(pair).every(({ foreignCores }) => foreignCores < QUIET_CORES);
}
