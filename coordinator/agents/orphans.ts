/**
 * Jobs that an agent no longer knows, back into their queues at once instead of after their lease.
 *
 * An agent that comes (back) names what it holds; what the store says it holds beyond that, it was restarted out of, or
 * never heard of. One pass over a cell's offers and leases serves every agent that waits when it begins, so that a fleet
 * that comes back as one costs two passes, not one an agent.
 *
 * Invariants:
 * 1. Only what was claimed before the agent was greeted (its mark, by the cell's own clock) is released, each by its exact
 *    token: a claim of the new session, here or through another coordinator, is never touched, however late the pass comes.
 * 2. A pass reads offers before leases, because jobs move from the ones to the others.
 * 3. Nobody waits for a pass. One that fails is made again until the leases of those jobs are over anyway.
 */
import { parseJobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';

/** Entries a page reads: their records are loaded, so a call stays near a millisecond. */
const PAGE = 128;
/** Pause before a failed pass is made again, milliseconds. */
const PAUSE_MS = 1000;

interface Asking {
  /** Tokens it holds. */
  readonly kept: ReadonlySet<string>;
  /** Server's time at which it said so, milliseconds. */
  readonly mark: number;
  /** When to give up, milliseconds of our own clock. */
  readonly until: number;
}

export interface OrphansOptions {
  readonly store: Pick<Store, 'cells' | 'holders' | 'release'>;
  /** Afterwards what is left has come back by itself, milliseconds. */
  readonly leaseMs: number;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export class Orphans {
  readonly #options: OrphansOptions;
  /** Per cell, by agent: who waits for the next pass. */
  readonly #waiting: readonly Map<string, Asking>[];
  readonly #passing: boolean[];
  /** Per cell: the mark of all who ask for one in this event-loop turn. */
  readonly #marks: (Promise<number> | undefined)[];

  constructor(options: OrphansOptions) {
    this.#options = options;
    const { cells } = options.store;
    this.#waiting = cells.map(() => new Map());
    this.#passing = cells.map(() => false);
    this.#marks = cells.map(() => undefined);
  }

  /** The time in every cell, to be taken between hello and welcome. */
  mark(): Promise<number[]> {
    return Promise.all(this.#options.store.cells.map((cell) => this.#markOf(cell)));
  }

  /** Releases, soon, what the agent held by the store at `marks` and does not name. */
  release(agentId: string, kept: ReadonlySet<string>, marks: readonly number[]): void {
    const { store, now, leaseMs } = this.#options;
    for (const cell of store.cells) {
      // Of two hellos of one agent the later one says what it holds.
      const asking = { kept, mark: marks[cell.index] as number, until: now() + leaseMs };
      this.#waiting[cell.index]?.set(agentId, asking);
      void this.#passes(cell);
    }
  }

  #markOf(cell: Cell): Promise<number> {
    const shared = this.#marks[cell.index];
    if (shared !== undefined) return shared;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#marks[cell.index] = promise;
    setImmediate(() => {
      this.#marks[cell.index] = undefined;
      resolve(this.#options.store.holders(cell, 'o', '0', 0).then(([, now]) => now));
    });
    return promise;
  }

  async #passes(cell: Cell): Promise<void> {
    if (this.#passing[cell.index] === true) return;
    this.#passing[cell.index] = true;
    const { now, sleep, onError } = this.#options;
    const waiting = this.#waiting[cell.index] as Map<string, Asking>;
    while (waiting.size > 0) {
      const served = new Map(waiting);
      waiting.clear();
      try {
        await this.#pass(cell, served);
      } catch (error) {
        onError(error);
        for (const [agentId, asking] of served)
          if (!waiting.has(agentId) && asking.until > now()) waiting.set(agentId, asking);
        await sleep(PAUSE_MS);
      }
    }
    this.#passing[cell.index] = false;
  }

  async #pass(cell: Cell, agents: ReadonlyMap<string, Asking>): Promise<void> {
    const { store } = this.#options;
    const orphans: [ref: string, token: string][] = [];
    for (const where of ['o', 'l'] as const) {
      let cursor = '0';
      do {
        const [next, , held] = await store.holders(cell, where, cursor, PAGE);
        for (const [ref, token, agentId, claimedAt] of held) {
          const asking = agents.get(agentId);
          if (asking !== undefined && claimedAt <= asking.mark && !asking.kept.has(token))
            orphans.push([ref, token]);
        }
        cursor = next;
      } while (cursor !== '0');
    }
    await Promise.all(
      orphans.map(([ref, token]) => store.release(parseJobRef(ref).wid, [ref, token, 'AGENT_RESTARTED'])),
    );
  }
}
