/**
 * How forecasts of waits compared to the waits: what turns a forecast into a band, and what is told of its quality. Pure.
 *
 * Invariants:
 * 1. Of the last WINDOW pairs; of fewer than ENOUGH nothing is learnt but the assumption.
 * 2. Waits shorter than SHORT_MS count as that long: of them a forecast is only noise.
 */

const WINDOW = 256;
const ENOUGH = 20;
const SHORT_MS = 50;
/** p90 over p50 where nothing is known yet. */
const ASSUMED_SPREAD = 1.5;

export interface Band {
  readonly p50: number;
  readonly p90: number;
}

export interface Quality {
  readonly samples: number;
  /** Median of |forecast - actual| / actual. */
  readonly medianError: number;
  /** Share of jobs that started within p90. */
  readonly withinP90: number;
}

interface Pair {
  /** Actual over what the simulation said. */
  readonly ratio: number;
  /** |p50 told - actual| / actual. */
  readonly error: number;
  readonly within: boolean;
}

export class Ratios {
  readonly #pairs: Pair[] = [];
  #next = 0;
  #band: Band | undefined;

  /** `rawMs`: what the simulation said; `told`: what was made of it then. */
  add(rawMs: number, told: { readonly p50Ms: number; readonly p90Ms: number }, actualMs: number): void {
    const actual = Math.max(actualMs, SHORT_MS);
    const pair = {
      ratio: actual / Math.max(rawMs, SHORT_MS),
      error: Math.abs(Math.max(told.p50Ms, SHORT_MS) - actual) / actual,
      within: actual <= Math.max(told.p90Ms, SHORT_MS),
    };
    if (this.#pairs.length < WINDOW) this.#pairs.push(pair);
    else this.#pairs[this.#next] = pair;
    this.#next = (this.#next + 1) % WINDOW;
    this.#band = undefined;
  }

  /** What a forecast is multiplied by. */
  get band(): Band {
    if (this.#pairs.length < ENOUGH) return { p50: 1, p90: ASSUMED_SPREAD };
    this.#band ??= (() => {
      const ratios = this.#pairs.map(({ ratio }) => ratio).toSorted((a, b) => a - b);
      return { p50: quantile(ratios, 0.5), p90: quantile(ratios, 0.9) };
    })();
    return this.#band;
  }

  get quality(): Quality | undefined {
    const samples = this.#pairs.length;
    if (samples === 0) return undefined;
    const errors = this.#pairs.map(({ error }) => error).toSorted((a, b) => a - b);
    return {
      samples,
      medianError: quantile(errors, 0.5),
      withinP90: this.#pairs.filter(({ within }) => within).length / samples,
    };
  }
}

/** Of sorted values, at least one. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}
