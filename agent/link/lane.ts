/**
 * A queue of one kind of item that knows about how many bytes it holds, and is emptied whole where that fits.
 *
 * 1. Items leave in the order they came.
 * 2. `take` gives at least one item while any budget is left, so an oversized item is never stuck.
 */

export interface Budget {
  bytes: number;
}

const NOTHING: readonly never[] = [];

export class Lane<T> {
  #items: T[] = [];
  #sizes: number[] = [];
  #bytes = 0;

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: T, bytes: number): void {
    this.#items.push(item);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  clear(): void {
    this.#items = [];
    this.#sizes = [];
    this.#bytes = 0;
  }

  /** As many items as the budget allows (2); lowers the budget by their size, at worst below 0. */
  take(budget: Budget): readonly T[] {
    if (this.#items.length === 0) return NOTHING;
    if (this.#bytes <= budget.bytes) {
      const all = this.#items;
      budget.bytes -= this.#bytes;
      this.clear();
      return all;
    }
    return this.#takeSome(budget);
  }

  #takeSome(budget: Budget): readonly T[] {
    let count = 0;
    let bytes = 0;
    for (const size of this.#sizes) {
      if (count > 0 ? bytes + size > budget.bytes : budget.bytes <= 0) break;
      bytes += size;
      count += 1;
    }
    budget.bytes -= bytes;
    this.#bytes -= bytes;
    this.#sizes.splice(0, count);
    return this.#items.splice(0, count);
  }
}
