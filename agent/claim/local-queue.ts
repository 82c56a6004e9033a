/**
 * Admitted jobs that wait for a slot: first in, first out within a type; across types the one that came first.
 *
 * 1. A type without a free slot never holds up another.
 * 2. Removal (a cancel, a release) is rare and may be O(n); adding and taking are O(1) per type.
 */
import type { HeldJob } from './held-job.ts';
import type { Slots } from './slots.ts';

/** Taken jobs are dropped from the front in runs of this many: shifting one by one would copy the queue each time. */
const COMPACT_AT = 128;

class Fifo {
  #items: HeldJob[] = [];
  #head = 0;

  get first(): HeldJob | undefined {
    return this.#items[this.#head];
  }

  push(job: HeldJob): void {
    this.#items.push(job);
  }

  shift(): HeldJob | undefined {
    const job = this.#items[this.#head];
    if (job === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= COMPACT_AT || this.#head === this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return job;
  }

  remove(job: HeldJob): boolean {
    const index = this.#items.indexOf(job, this.#head);
    if (index < 0) return false;
    this.#items.splice(index, 1);
    return true;
  }

  rest(): readonly HeldJob[] {
    return this.#items.slice(this.#head);
  }
}

export class LocalQueue {
  readonly #types = new Map<string, Fifo>();

  add(job: HeldJob): void {
    let fifo = this.#types.get(job.offer.type);
    if (fifo === undefined) this.#types.set(job.offer.type, (fifo = new Fifo()));
    fifo.push(job);
  }

  /** The next job that has a slot, taken out of the queue; undefined = none can run. */
  takeRunnable(slots: Slots): HeldJob | undefined {
    if (slots.waiting === 0) return undefined;
    let best: Fifo | undefined;
    for (const [type, fifo] of this.#types) {
      if (fifo.first === undefined || !slots.canRun(type)) continue;
      if (best === undefined || fifo.first.receivedAt < (best.first as HeldJob).receivedAt) best = fifo;
    }
    return best?.shift();
  }

  remove(job: HeldJob): boolean {
    return this.#types.get(job.offer.type)?.remove(job) ?? false;
  }

  all(): HeldJob[] {
    return [...this.#types.values()].flatMap((fifo) => fifo.rest());
  }
}
