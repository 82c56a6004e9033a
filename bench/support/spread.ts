/** Median and range of a few samples. Pure. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Throws without a sample. */
export function spread(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new RangeError('spread of no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] as number;
  const lower = sorted[Math.ceil(middle) - 1] as number;
  return { median: (upper + lower) / 2, min: sorted[0] as number, max: sorted.at(-1) as number };
}

/** Rounds to `digits` significant digits. */
export function significant(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}
