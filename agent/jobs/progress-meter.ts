/**
 * Progress of one job on its way out: never back, never outside 0 to 1, at most one report per INTERVAL_MS.
 *
 * Invariants:
 * 1. The first report goes out at once; later ones at once where INTERVAL_MS has passed, so that a busy loop
 *    without timers is still seen.
 * 2. What is held back goes out by timer, always the newest; nothing goes out after `close`.
 */

export const INTERVAL_MS = 250;

export class ProgressMeter {
  readonly #send: (fraction: number, message: string) => void;
  readonly #now: () => number;
  #fraction = 0;
  #message = '';
  #sentAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    send: (fraction: number, message: string) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#send = send;
    this.#now = now;
  }

  report(fraction: number, message = ''): void {
    if (this.#closed || typeof fraction !== 'number' || Number.isNaN(fraction)) return;
    this.#fraction = Math.max(this.#fraction, Math.min(1, fraction));
    this.#message = message;
    const waitMs = this.#sentAt + INTERVAL_MS - this.#now();
    if (waitMs <= 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentAt = this.#now();
    this.#send(this.#fraction, this.#message);
  }
}
