/**
 * A metric of too many series in few: those behind the first MAX_SERIES are told as one, "other". Pure.
 *
 * Invariants: never more than MAX_SERIES come out; labels of few values (`state`) are kept, so that sums over them stay right.
 */
import { MAX_SERIES, OTHER } from './histogram.ts';

export interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Labels that have few values by themselves. */
const FEW: ReadonlySet<string> = new Set(['state']);
/** Series that may stand for the rest: one for each value of those labels. */
const MAX_FOLDED = 10;

/** `fold`: what becomes of two values that are told as one. */
export function folded(
  values: readonly Value[],
  fold: (one: number, other: number) => number,
): readonly Value[] {
  if (values.length <= MAX_SERIES) return values;
  const kept = values.slice(0, MAX_SERIES - MAX_FOLDED);
  const rest = new Map<string, Value>();
  for (const { labels, value } of values.slice(kept.length)) {
    const few = Object.fromEntries(
      Object.entries(labels).map(([name, label]) => [name, FEW.has(name) ? label : OTHER]),
    );
    const key = JSON.stringify(few);
    const known = rest.get(key);
    rest.set(key, { labels: few, value: known === undefined ? value : fold(known.value, value) });
  }
  return [...kept, ...rest.values()];
}
