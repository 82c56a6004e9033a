/**
 * Something done again and again: a sweep, a poll, a heartbeat.
 *
 * Numbered rules:
 *   1. Two runs never overlap; a run asked for during another one comes after it, and several such requests are one run.
 *   2. The pause is counted from the end of a run, ± jitter, so that loops of many processes drift apart.
 *   3. A run that throws is reported and changes nothing about the next one.
 *   4. `stop` aborts the run's signal and waits for the run under way; no run starts after it was called.
 */
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Service } from './service.ts';

export interface LoopOptions {
  readonly name: string;
  readonly intervalMs: number;
  /** Share of the interval by which each pause varies, both ways; default 0.1. */
  readonly jitter?: number;
  /** First run at the start instead of after a first pause. */
  readonly immediately?: boolean;
  /** One round. The signal aborts when the loop is stopped. */
  readonly run: (signal: AbortSignal) => Promise<void> | void;
  readonly onError: (error: unknown) => void;
  readonly clock?: Clock;
  /** 0 (inclusive) to 1. */
  readonly random?: () => number;
}

export class Loop implements Service {
  readonly name: string;
  readonly #options: Required<LoopOptions>;
  #stopped = new AbortController();
  #started = false;
  #cancelTimer: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  constructor(options: LoopOptions) {
    this.name = options.name;
    this.#options = { jitter: 0.1, immediately: false, clock: systemClock, random: Math.random, ...options };
  }

  start(): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      this.#stopped = new AbortController();
      if (this.#options.immediately) this.poke();
      else this.#schedule();
    }
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#stopped.abort();
    this.#cancelTimer();
    await Promise.allSettled([this.#running, this.#following]);
  }

  /** A whole run that begins after this call; rejects with its error. Works whether or not the loop was started. */
  runOnce(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    this.#following ??= this.#running.then(
      () => this.#follow(),
      () => this.#follow(),
    );
    return this.#following;
  }

  /** A run soon, without waiting for the pause to end. */
  poke(): void {
    this.runOnce().catch(this.#options.onError);
  }

  #follow(): Promise<void> {
    this.#following = undefined;
    return this.#started || !this.#stopped.signal.aborted ? this.#begin() : Promise.resolve();
  }

  #begin(): Promise<void> {
    this.#cancelTimer();
    // Begun after #running is set: a run that asks for another one must find itself.
    const run = Promise.resolve().then(() => this.#options.run(this.#stopped.signal));
    this.#running = run.finally(() => {
      this.#running = undefined;
      if (this.#started && this.#following === undefined) this.#schedule();
    });
    return this.#running;
  }

  #schedule(): void {
    const { intervalMs, jitter, random, clock } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.schedule(intervalMs * (1 + jitter * (2 * random() - 1)), () => this.poke());
  }
}
