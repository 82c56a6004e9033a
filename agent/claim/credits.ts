/**
 * The standing claim an agent sends: what it would take right now, and whether that needs saying.
 *
 * The coordinator knows `total - (offers it sent - offersSeen)`. The agent says something new only when that view is
 * wrong, so an agent that swaps one finished job for one offer speaks once per batch and an idle one not at all.
 *
 * 1. `revision` rises with every message, over all sessions of the process.
 * 2. `offersSeen` counts the offers of this session, admitted or not.
 * 3. A closed agent (draining, paused, too much unacknowledged) asks for nothing.
 */
import type { Slots } from './slots.ts';

export interface CreditsMessage {
  readonly total: number;
  readonly byType: { [type: string]: number };
  readonly revision: number;
  readonly offersSeen: number;
}

export class CreditBook {
  #revision = 0;
  #seen = 0;
  #seenByType = new Map<string, number>();
  #saidTotal = -1;
  #said = new Map<string, number>();

  /** Offers received in this session. */
  get offersSeen(): number {
    return this.#seen;
  }

  /** A new session knows nothing: whatever comes next must be said. */
  reset(): void {
    this.#seen = 0;
    this.#seenByType.clear();
    this.#saidTotal = -1;
    this.#said.clear();
  }

  /** An offer came in (2). */
  sawOffer(type: string): void {
    this.#seen += 1;
    this.#saidTotal -= 1;
    this.#seenByType.set(type, (this.#seenByType.get(type) ?? 0) + 1);
  }

  /** The message to send, or undefined when the coordinator's view is right already. */
  next(slots: Slots, open: boolean): CreditsMessage | undefined {
    const total = open ? slots.freeTotal() : 0;
    let news = total !== this.#saidTotal;
    for (const type of slots.types()) {
      if (news) break;
      news =
        (open ? slots.free(type) : 0) !== (this.#said.get(type) ?? -1) - (this.#seenByType.get(type) ?? 0);
    }
    if (!news) return undefined;
    const byType: { [type: string]: number } = {};
    this.#saidTotal = total;
    this.#seenByType.clear();
    for (const type of slots.types()) {
      const free = open ? slots.free(type) : 0;
      byType[type] = free;
      this.#said.set(type, free);
    }
    this.#revision = (this.#revision + 1) >>> 0;
    return { total, byType, revision: this.#revision, offersSeen: this.#seen };
  }
}
