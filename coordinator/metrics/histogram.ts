/** Counts by fixed bounds, cheap enough for every job. Pure. */

/** Seconds, from a millisecond to a day. */
export const DURATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600,
  14_400, 86_400,
] as const;

export class Histogram {
  readonly bounds: readonly number[];
  /** Of each bound those not larger than it and larger than the one before; the last has the rest. */
  readonly #counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[] = DURATION_BOUNDS) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** `weight`: how many alike ones it stands for. */
  observe(value: number, weight = 1): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (this.bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] as number) + weight;
    this.sum += value * weight;
    this.count += weight;
  }

  /** Of each bound all that are not larger than it; the last is all. */
  cumulative(): number[] {
    let sum = 0;
    return Array.from(this.#counts, (count) => (sum += count));
  }
}

/** Series of one metric, "other" among them, which stands for all that would be more. */
export const MAX_SERIES = 1000;
export const OTHER = 'other';
/** Histograms by label: each is a series for every bound, one for +Inf, a sum and a count. */
export const MAX_HISTOGRAMS = Math.floor(MAX_SERIES / (DURATION_BOUNDS.length + 3));

/** A value for each label, made when first asked for. */
export class Series<T> {
  readonly #known = new Map<string, T>();
  readonly #make: () => T;
  readonly #most: number;

  constructor(make: () => T, most: number = MAX_SERIES) {
    this.#make = make;
    this.#most = most;
  }

  of(label: string): T {
    let value = this.#known.get(label);
    if (value !== undefined) return value;
    if (this.#known.size >= this.#most - 1 && label !== OTHER) return this.of(OTHER);
    value = this.#make();
    this.#known.set(label, value);
    return value;
  }

  entries(): IterableIterator<[label: string, value: T]> {
    return this.#known.entries();
  }
}
