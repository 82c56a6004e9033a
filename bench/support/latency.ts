/**
 * One thing at a time through an idle system, each timed. One clock: that of the machine, the same in all its processes.
 */
import { spread } from './spread.ts';
import type { Spread } from './spread.ts';

/** Microseconds of a clock that all processes of this machine share. */
export function machineUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** What the handler of a timed job gives back. */
export interface Started {
  readonly at: number;
}

/** Microseconds from the submit, one entry a job. */
export interface Latencies {
  readonly toStart: readonly number[];
  readonly toResult: readonly number[];
}

/** `run` submits one and resolves with what its handler said once the submitter has it. */
export async function timeEach(count: number, run: () => Promise<Started>): Promise<Latencies> {
  const toStart: number[] = [];
  const toResult: number[] = [];
  for (let i = 0; i < count; i++) {
    const submittedAt = machineUs();
    const { at } = await run();
    toResult.push(machineUs() - submittedAt);
    toStart.push(at - submittedAt);
  }
  return { toStart, toResult };
}

/** Nearest rank; `share` 0 to 1. Throws without a sample. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new RangeError('percentile of no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

/** Percentiles of each round, and their medians over rounds. */
export function overRounds(rounds: readonly (readonly number[])[], share: number): Spread {
  return spread(rounds.map((samples) => percentile(samples, share)));
}
