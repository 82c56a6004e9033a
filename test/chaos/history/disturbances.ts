/** The faults of a run as spans of time, from the lines the fault runner wrote. */
import type { Disturbance } from '../check/history.ts';
import { readLines } from './log.ts';

/** When a fault began and when it was undone; wall clock, milliseconds. */
interface FaultLine {
  readonly at: number;
  readonly what: 'begins' | 'undone' | 'skipped';
  readonly kind: string;
  readonly target: string;
  readonly atMs: number;
}

export function readDisturbances(file: string): Disturbance[] {
  const open = new Map<string, Disturbance>();
  for (const { at, what, kind, target, atMs } of readLines<FaultLine>(file)) {
    if (what === 'skipped') continue;
    const name = `${kind} ${target} ${atMs}`;
    const from = what === 'begins' ? at : (open.get(name)?.from ?? at);
    open.set(name, { kind, target, from, to: what === 'begins' ? Number.POSITIVE_INFINITY : at });
  }
  return [...open.values()];
}
