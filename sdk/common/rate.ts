/**
 * Cost per second from a window of finished jobs. Pure; `throughput-tally.ts` keeps the windows.
 *
 * 1. Per running job: four jobs side by side do not count fourfold, because progress = elapsed * rate / cost is per job.
 * 2. Samples whose own rate lies beyond `TRIM` times the median, either way, are left out: one cold start or one cached
 *    answer must not move the estimate.
 * 3. The rest is weighted, newest most: sum of weight * cost over sum of weight * seconds, which is exact for jobs of
 *    mixed size and needs no division by a run time that may be zero.
 */

export interface Sample {
  readonly cost: number;
  readonly runMs: number;
}

const TRIM = 4;
const DECAY = 0.95;
/** Clocks do not resolve less. */
const MIN_RUN_MS = 0.001;

/** Cost per second of run time; `samples` oldest first; undefined for none. */
export function costPerSecond(samples: readonly Sample[]): number | undefined {
  if (samples.length === 0) return undefined;
  const rates = samples.map(rateOf);
  const median = medianOf(rates);
  let weight = 1;
  let cost = 0;
  let runMs = 0;
  for (let index = samples.length - 1; index >= 0; index -= 1) {
    const rate = rates[index] as number;
    if (rate > median * TRIM || rate < median / TRIM) continue;
    const sample = samples[index] as Sample;
    cost += weight * sample.cost;
    runMs += weight * Math.max(sample.runMs, MIN_RUN_MS);
    weight *= DECAY;
  }
  return runMs === 0 ? undefined : (cost / runMs) * 1000;
}

/** Time per unit of cost of the smaller half of the jobs, by cost, and of the larger half, over that of all. */
export interface Drift {
  readonly small: number;
  readonly large: number;
}

/** Jobs below which a drift says nothing. */
const ENOUGH = 10;
const NO_DRIFT: Drift = { small: 1, large: 1 };

/** Both 1 where the declared cost is right, where all cost the same, and of too few jobs. Medians: single cold starts do not count. */
export function driftOf(samples: readonly Sample[]): Drift {
  const sorted = samples.filter(({ cost }) => cost > 0).toSorted((a, b) => a.cost - b.cost);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (sorted.length < ENOUGH || first === undefined || first.cost === last?.cost) return NO_DRIFT;
  const perUnit = sorted.map((sample) => 1 / rateOf(sample));
  const middle = Math.floor(sorted.length / 2);
  const all = medianOf(perUnit);
  return { small: medianOf(perUnit.slice(0, middle)) / all, large: medianOf(perUnit.slice(middle)) / all };
}

function rateOf(sample: Sample): number {
  return sample.cost / Math.max(sample.runMs, MIN_RUN_MS);
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
