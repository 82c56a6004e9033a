/**
 * Streamed text of one job on its way out: an executor may emit every token, its host gets at most one piece per
 * INTERVAL_MS (or per MAX_LENGTH characters), so that no executor can flood the agent.
 *
 * Invariants:
 * 1. No text is lost or reordered; `close` sends what is held back.
 * 2. The first piece goes out at once, and later ones without a timer where the interval has passed.
 */

export const INTERVAL_MS = 50;
export const MAX_LENGTH = 16 * 1024;

export class ChunkBuffer {
  readonly #send: (index: number, data: string) => void;
  readonly #now: () => number;
  #index = 0;
  #held = '';
  #sentAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (index: number, data: string) => void, now: () => number = () => performance.now()) {
    this.#send = send;
    this.#now = now;
  }

  add(text: string): void {
    this.#held += text;
    const waitMs = this.#sentAt + INTERVAL_MS - this.#now();
    if (waitMs <= 0 || this.#held.length >= MAX_LENGTH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs);
  }

  close(): void {
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#held === '') return;
    const data = this.#held;
    this.#held = '';
    this.#sentAt = this.#now();
    this.#send(this.#index++, data);
  }
}
