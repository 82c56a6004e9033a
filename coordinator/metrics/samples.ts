/**
 * Waits and run times of jobs that ended, for histograms: all of them while few end, else some that stand for the others.
 *
 * Invariants: at most A_SECOND jobs are read a second; the weights of those add up to the number of jobs that ended.
 */
import { cellIndexOf, parseJobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import type { Counters } from './counters.ts';

const A_SECOND = 50;

export interface JobSamplesOptions {
  readonly cells: readonly Cell[];
  readonly reads: Reads;
  readonly counters: Counters;
  /** Of the process, milliseconds. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

export class JobSamples {
  readonly #options: JobSamplesOptions;
  /** By type: ended since one was looked at. */
  readonly #unseen = new Map<string, number>();
  #left = A_SECOND;
  #since = 0;

  constructor(options: JobSamplesOptions) {
    this.#options = options;
  }

  ended(ref: string, type: string): void {
    const weight = (this.#unseen.get(type) ?? 0) + 1;
    const now = this.#options.monotonic();
    if (now - this.#since >= 1000) {
      this.#since = now;
      this.#left = A_SECOND;
    }
    if (this.#left === 0) {
      this.#unseen.set(type, weight);
      return;
    }
    this.#left--;
    this.#unseen.delete(type);
    this.#look(ref, type, weight).catch(this.#options.onError);
  }

  async #look(ref: string, type: string, weight: number): Promise<void> {
    const { cells, reads, counters } = this.#options;
    const { wid, step, ordinal } = parseJobRef(ref);
    const [job] = await reads.jobs(cells[cellIndexOf(wid)] as Cell, wid, step, ordinal, ordinal + 1);
    if (job === undefined || job.startedAt === 0) return;
    counters.waits.of(type).observe(Math.max(0, job.startedAt - job.queuedAt) / 1000, weight);
    const ran = Math.max(0, job.completedAt - job.startedAt);
    if (job.completedAt > 0) counters.runs.of(type).observe(ran / 1000, weight);
  }
}
