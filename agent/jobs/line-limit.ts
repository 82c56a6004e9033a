/**
 * Lets at most PER_SECOND log lines of a child through and counts the rest: an executor that prints without end
 * must not slow the agent down.
 */

export const PER_SECOND = 500;

export class LineLimit {
  readonly #now: () => number;
  #second = 0;
  #passed = 0;
  #dropped = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Null = drop the line; otherwise how many were dropped before it. */
  admit(): { readonly droppedBefore: number } | null {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#passed = 0;
    }
    if (this.#passed >= PER_SECOND) {
      this.#dropped++;
      return null;
    }
    this.#passed++;
    const droppedBefore = this.#dropped;
    this.#dropped = 0;
    return { droppedBefore };
  }
}
