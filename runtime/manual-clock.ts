/**
 * A clock that stands still until it is moved, for tests and simulations.
 *
 * Invariants: timers run in the order of their times, equal ones in the order they were set, each at exactly its time;
 * what a timer starts (promises included) has settled before the next one runs, as far as it needs no other timer or I/O.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from './clock.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  readonly #epoch: number;
  #elapsed = 0;
  readonly #timers = new Set<Timer>();

  /** `startAt`: what `now` says at first. */
  constructor(startAt = Date.UTC(2026, 0, 1)) {
    this.#epoch = startAt;
  }

  now(): number {
    return this.#epoch + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  schedule(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#elapsed + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time forward, running what falls due on the way. */
  async advance(byMs: number): Promise<void> {
    const until = this.#elapsed + byMs;
    await setImmediate();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#elapsed = next.at;
      next.run();
      await setImmediate();
    }
    this.#elapsed = until;
  }

  #next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}
