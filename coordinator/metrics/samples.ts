/**
 * Waits and run times of jobs that ended, for histograms: all of them while few end, else some that stand for the others.
 *
 * Invariants:
 * 1. At most A_SECOND jobs are read a second, and one of each type a `settle`.
 * 2. The weights of those add up to the number of jobs that ended: after a `settle` nothing is left over, but where Redis is away
 *    or a record is gone already; what that job stood for goes to the next one of its type.
 */
import { cellIndexOf, parseJobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import type { Counters } from './counters.ts';

const A_SECOND = 50;

export interface JobSamplesOptions {
  readonly cells: readonly Cell[];
  readonly reads: Pick<Reads, 'jobs'>;
  readonly counters: Pick<Counters, 'waits' | 'runs'>;
  /** Of the process, milliseconds. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

/** Jobs of a type that ended and are not counted yet. */
interface Unseen {
  readonly count: number;
  /** The newest of them; undefined = its record is gone. */
  readonly ref: string | undefined;
}

export class JobSamples {
  readonly #options: JobSamplesOptions;
  readonly #unseen = new Map<string, Unseen>();
  readonly #looks = new Set<Promise<void>>();
  #left = A_SECOND;
  #since = 0;

  constructor(options: JobSamplesOptions) {
    this.#options = options;
  }

  ended(ref: string, type: string): void {
    const count = (this.#unseen.get(type)?.count ?? 0) + 1;
    const now = this.#options.monotonic();
    if (now - this.#since >= 1000) {
      this.#since = now;
      this.#left = A_SECOND;
    }
    if (this.#left === 0) {
      this.#unseen.set(type, { count, ref });
      return;
    }
    this.#left--;
    this.#unseen.delete(type);
    this.#look(ref, type, count);
  }

  /** Counts what ended until now; never rejects. */
  async settle(): Promise<void> {
    for (const [type, { count, ref }] of this.#unseen) {
      if (ref === undefined) continue;
      this.#unseen.delete(type);
      this.#look(ref, type, count);
    }
    await Promise.all(this.#looks);
  }

  #look(ref: string, type: string, count: number): void {
    const look = this.#count(ref, type, count)
      .then((counted) => {
        if (!counted) this.#giveBack(type, { count, ref: undefined });
      })
      .catch((error: unknown) => {
        this.#giveBack(type, { count, ref });
        this.#options.onError(error);
      })
      .finally(() => this.#looks.delete(look));
    this.#looks.add(look);
  }

  #giveBack(type: string, { count, ref }: Unseen): void {
    const since = this.#unseen.get(type);
    this.#unseen.set(type, { count: count + (since?.count ?? 0), ref: since?.ref ?? ref });
  }

  /** False where the job has no record any more. */
  async #count(ref: string, type: string, weight: number): Promise<boolean> {
    const { cells, reads, counters } = this.#options;
    const { wid, step, ordinal } = parseJobRef(ref);
    const [job] = await reads.jobs(cells[cellIndexOf(wid)] as Cell, wid, step, ordinal, ordinal + 1);
    if (job === undefined || job.startedAt === 0 || job.completedAt === 0) return false;
    counters.waits.of(type).observe(Math.max(0, job.startedAt - job.queuedAt) / 1000, weight);
    counters.runs.of(type).observe(Math.max(0, job.completedAt - job.startedAt) / 1000, weight);
    return true;
  }
}
