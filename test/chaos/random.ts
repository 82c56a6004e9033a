/** Numbers from a seed (mulberry32): the same seed, the same run. */

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** Whole, both ends included. */
  int(min: number, max: number): number;
  /** From min up to max. */
  between(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** By weight; weights are 0 or more, not all 0. */
  weighted<T>(from: readonly (readonly [T, number])[]): T;
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    between: (min, max) => min + next() * (max - min),
    chance: (probability) => next() < probability,
    pick: <T>(from: readonly T[]) => {
      if (from.length === 0) throw new Error('Nothing to pick from.');
      return from[Math.floor(next() * from.length)] as T;
    },
    weighted: <T>(from: readonly (readonly [T, number])[]) => {
      let rest = next() * from.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [item, weight] of from) {
        rest -= weight;
        if (rest < 0 && weight > 0) return item;
      }
      const last = from.findLast(([, weight]) => weight > 0);
      if (last === undefined) throw new Error('Nothing to pick from.');
      return last[0];
    },
  };
}
