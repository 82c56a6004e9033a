/**
 * Who waits here for news of which workflow: watch streams, waits for an end.
 *
 * Invariants: a listener is called on every commit this coordinator made or heard of, and at least every poll while it
 * is signed up (the bus may lose words); calls carry no content, listeners read the log.
 */
export type NewsListener = () => void;

export class News {
  readonly #listeners = new Map<string, Set<NewsListener>>();

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

  /** The poll. */
  tellAll(): void {
    for (const set of [...this.#listeners.values()]) for (const listener of [...set]) listener();
  }
}
