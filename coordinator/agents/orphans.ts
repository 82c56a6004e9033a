/**
 * Jobs that an agent no longer knows, back into their queues at once instead of after their lease.
 *
 * An agent that comes (back) names what it holds; what the store says it holds beyond that, it was restarted out of, or
 * never heard of. One pass over a cell's offers and leases serves every agent that asked before it began, so that a
 * fleet that comes back as one costs a few passes, not one an agent.
 *
 * Invariants:
 * 1. Only what was claimed before the pass began is released, each by its exact token: a claim of the new session, here
 *    or through another coordinator, is never touched.
 * 2. A pass reads offers before leases, because jobs move from the ones to the others.
 */
import { parseJobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';

/** Entries a page reads: their records are loaded, so a call stays below a millisecond. */
const PAGE = 128;
/** Agents one pass serves. */
const MAX_AGENTS = 256;

interface Asking {
  readonly agentId: string;
  /** Tokens it holds. */
  readonly kept: ReadonlySet<string>;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export class Orphans {
  readonly #store: Pick<Store, 'cells' | 'holders' | 'release'>;
  /** Per cell: who waits for the next pass. */
  readonly #waiting: readonly Asking[][];
  readonly #passing: boolean[];

  constructor(store: Pick<Store, 'cells' | 'holders' | 'release'>) {
    this.#store = store;
    this.#waiting = store.cells.map(() => []);
    this.#passing = store.cells.map(() => false);
  }

  /** Releases what the agent holds by the store and does not name; resolves once that is done in every cell. */
  async release(agentId: string, kept: ReadonlySet<string>): Promise<void> {
    await Promise.all(
      this.#store.cells.map((cell) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        this.#waiting[cell.index]?.push({ agentId, kept, done: resolve, failed: reject });
        void this.#passes(cell);
        return promise;
      }),
    );
  }

  async #passes(cell: Cell): Promise<void> {
    if (this.#passing[cell.index] === true) return;
    this.#passing[cell.index] = true;
    const waiting = this.#waiting[cell.index] as Asking[];
    while (waiting.length > 0) {
      const served = waiting.splice(0, MAX_AGENTS);
      try {
        // Of two hellos of one agent the later one says what it holds.
        await this.#pass(cell, new Map(served.map(({ agentId, kept }) => [agentId, kept])));
        for (const { done } of served) done();
      } catch (error) {
        for (const { failed } of served) failed(error);
      }
    }
    this.#passing[cell.index] = false;
  }

  async #pass(cell: Cell, agents: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    const names = [...agents.keys()];
    const released: Promise<unknown>[] = [];
    let began: number | undefined;
    for (const where of ['o', 'l'] as const) {
      let cursor = '0';
      do {
        const [next, now, held] = await this.#store.holders(cell, where, cursor, PAGE, names);
        began ??= now;
        for (const [ref, token, agentId, claimedAt] of held) {
          if (claimedAt > began || agents.get(agentId)?.has(token) === true) continue;
          released.push(this.#store.release(parseJobRef(ref).wid, [ref, token, 'AGENT_RESTARTED']));
        }
        cursor = next;
      } while (cursor !== '0');
    }
    await Promise.all(released);
  }
}
