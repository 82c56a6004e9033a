/**
 * Who waits here for news of which workflow: watch streams, waits for an end.
 *
 * Invariants: a listener is called on every commit this coordinator made or heard of, whenever the bus may have lost words, and by
 * the poll in any case: each poll calls those of POLL_SHARE workflows, so of a thousand that wait each is called every few seconds.
 * Calls carry no content, listeners read the log.
 */

export type NewsListener = () => void;

/** Workflows one poll calls the listeners of. */
const POLL_SHARE = 256;
/** Of these, in one turn of the event loop: each reads its log. */
const AT_ONCE = 16;

export class News {
  readonly #listeners = new Map<string, Set<NewsListener>>();
  #next = this.#listeners.values();

  get size(): number {
    return this.#listeners.size;
  }

  /** Returns the function that signs off. */
  listen(wid: string, listener: NewsListener): () => void {
    let set = this.#listeners.get(wid);
    if (set === undefined) {
      set = new Set();
      this.#listeners.set(wid, set);
    }
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0 && this.#listeners.get(wid) === set) this.#listeners.delete(wid);
    };
  }

  /** Hot path: nearly always nobody listens. */
  tell(wid: string): void {
    if (this.#listeners.size === 0) return;
    const set = this.#listeners.get(wid);
    if (set !== undefined) for (const listener of [...set]) listener();
  }

  /** The poll: goes on where the last one ended. */
  async tellSome(): Promise<void> {
    const count = Math.min(POLL_SHARE, this.#listeners.size);
    for (let told = 0; told < count; told++) {
      let next = this.#next.next();
      if (next.done === true) {
        this.#next = this.#listeners.values();
        next = this.#next.next();
      }
      if (next.done === true) return;
      for (const listener of [...next.value]) listener();
      if (told % AT_ONCE === AT_ONCE - 1) await new Promise(setImmediate);
    }
  }

  /** Words may have been lost. */
  tellAll(): void {
    for (const set of [...this.#listeners.values()]) for (const listener of [...set]) listener();
  }
}
