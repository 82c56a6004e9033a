/**
 * Group commit: what one event-loop turn has for one script goes in one call.
 *
 * Invariants:
 * 1. Items leave in the order they came; at most `maxItems` a call, at most `maxInFlight` calls at once.
 * 2. Every item is answered exactly once, by a reply or by an error.
 * 3. A call that failed without an answer of the server (connection lost, time-out) is made again with the same
 *    items until `giveUpMs` has passed: the scripts are idempotent.
 */

/** The clock as far as batching needs it. */
export interface Waiter {
  /** Milliseconds, monotonic. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export interface BatcherOptions<Item, Reply> {
  /** Makes the call; replies are in the order of the items. */
  readonly send: (items: readonly Item[]) => Promise<readonly Reply[]>;
  /** True for errors after which the call may not have happened, or may have. */
  readonly isTransient: (error: unknown) => boolean;
  readonly clock: Waiter;
  readonly maxItems?: number;
  readonly maxInFlight?: number;
  /** Milliseconds; default 5,000. */
  readonly giveUpMs?: number;
}

interface Waiting<Item, Reply> {
  readonly item: Item;
  readonly done: (reply: Reply) => void;
  readonly failed: (error: unknown) => void;
}

export class Batcher<Item, Reply> {
  readonly #options: BatcherOptions<Item, Reply>;
  readonly #maxItems: number;
  readonly #maxInFlight: number;
  readonly #giveUpMs: number;
  #queue: Waiting<Item, Reply>[] = [];
  #inFlight = 0;
  #pending = 0;
  #scheduled = false;

  constructor(options: BatcherOptions<Item, Reply>) {
    this.#options = options;
    this.#maxItems = options.maxItems ?? 128;
    this.#maxInFlight = options.maxInFlight ?? 2;
    this.#giveUpMs = options.giveUpMs ?? 5000;
  }

  /** Items not yet answered. */
  get pending(): number {
    return this.#pending;
  }

  /** Hot path: callbacks instead of a promise per item. */
  push(item: Item, done: (reply: Reply) => void, failed: (error: unknown) => void): void {
    this.#pending++;
    this.#queue.push({ item, done, failed });
    this.#schedule();
  }

  add(item: Item): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.push(item, resolve, reject);
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#maxInFlight || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#inFlight < this.#maxInFlight) {
      const batch = this.#queue.length <= this.#maxItems ? this.#queue : this.#queue.slice(0, this.#maxItems);
      this.#queue = batch === this.#queue ? [] : this.#queue.slice(this.#maxItems);
      this.#inFlight++;
      void this.#run(batch).finally(() => {
        this.#inFlight--;
        this.#schedule();
      });
    }
  }

  async #run(batch: readonly Waiting<Item, Reply>[]): Promise<void> {
    const items = batch.map((waiting) => waiting.item);
    const { clock, send, isTransient } = this.#options;
    const deadline = clock.now() + this.#giveUpMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const replies = await send(items);
        this.#answer(batch, (waiting, index) => waiting.done(replies[index] as Reply));
        return;
      } catch (error) {
        const pauseMs = Math.min(500, 20 * 2 ** attempt);
        if (!isTransient(error) || clock.now() + pauseMs > deadline) {
          this.#answer(batch, (waiting) => waiting.failed(error));
          return;
        }
        await clock.sleep(pauseMs);
      }
    }
  }

  /** A callback that throws is a bug of its owner: it surfaces as such, and takes nobody else's answer away. */
  #answer(
    batch: readonly Waiting<Item, Reply>[],
    give: (waiting: Waiting<Item, Reply>, index: number) => void,
  ): void {
    this.#pending -= batch.length;
    batch.forEach((waiting, index) => {
      try {
        give(waiting, index);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    });
  }
}
