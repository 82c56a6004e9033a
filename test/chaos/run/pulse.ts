/**
 * The harness feels its own pulse: where even this idle process was not given the processor for a while, neither were the
 * processes it judges, and an offer or a lease may run out without anybody being at fault.
 */
import type { Disturbance } from '../check/history.ts';

const EVERY_MS = 50;

export class Pulse {
  readonly disturbances: Disturbance[] = [];
  readonly #limitMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** A beat that comes later than this is a disturbance, milliseconds. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  start(): void {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const lateMs = now - last - EVERY_MS;
      last = now;
      if (lateMs < this.#limitMs) return;
      const to = Date.now();
      this.disturbances.push({ kind: 'starved', target: 'machine', from: to - lateMs, to });
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
