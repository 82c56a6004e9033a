/**
 * Counts the completions a submitter saw in one round, each job once.
 *
 * Invariant: `done` settles once: with the wall time when every job was seen exactly once and every sampled result was
 * right, with an error at the first job seen twice, failed, unknown, or with a wrong result.
 */
import { problemOf } from './payload.ts';

/** One result in so many is looked at; a prime, so that it falls on every place of a batch. */
const SAMPLE_EVERY = 97;

export interface RoundAsk {
  /** Number of the first job; numbers never come twice in one run. */
  readonly first: number;
  readonly jobs: number;
  /** Jobs submitted and not seen completed, at most. */
  readonly window: number;
}

export interface RoundAnswer {
  readonly wallMs: number;
  readonly completed: number;
  readonly sampled: number;
}

export class Tally {
  readonly done: Promise<RoundAnswer>;
  completed = 0;
  readonly #ask: RoundAsk;
  readonly #seen: Uint8Array;
  readonly #startedAt = performance.now();
  #sampled = 0;
  #waiting: { readonly count: number; readonly proceed: () => void } | undefined;
  #resolve!: (answer: RoundAnswer) => void;
  #reject!: (error: Error) => void;

  constructor(ask: RoundAsk) {
    this.#ask = ask;
    this.#seen = new Uint8Array(ask.jobs);
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Job `n` was reported as completed; `output` reads its result, for the sample only. */
  saw(n: number, output: () => unknown): void {
    const index = n - this.#ask.first;
    if (this.#seen[index] !== 0) {
      this.fail(this.#seen[index] === 1 ? `job ${n} was reported twice` : `job ${n} is none of this round`);
      return;
    }
    this.#seen[index] = 1;
    this.completed++;
    if (n % SAMPLE_EVERY === 0) {
      const problem = problemOf(n, output());
      if (problem !== undefined) this.fail(problem);
      this.#sampled++;
    }
    if (this.#waiting !== undefined && this.completed >= this.#waiting.count) this.#waiting.proceed();
    if (this.completed < this.#ask.jobs) return;
    const wallMs = performance.now() - this.#startedAt;
    this.#resolve({ wallMs, completed: this.completed, sampled: this.#sampled });
  }

  /** Resolves when so many were seen; one caller at a time. */
  async whenCompleted(count: number): Promise<void> {
    if (this.completed >= count) return;
    await new Promise<void>((proceed) => (this.#waiting = { count, proceed }));
    this.#waiting = undefined;
  }

  fail(problem: string): void {
    this.#reject(new Error(`mismatch: ${problem}`));
  }
}
