/**
 * The agents of the whole fleet as their records say, read a part at a time: a fleet of ten thousand has 7 MB of them.
 *
 * Invariants:
 * 1. `refresh` reads at most BUDGET records, a page between two turns of the event loop; a fleet of no more is known whole after
 *    each, a larger one after as many calls as it takes. Whoever is not met in a whole round is gone.
 * 2. A record is parsed again only when its text has changed.
 */
import type { Cluster, Redis } from 'ioredis';
import type { AgentState } from '../../proto/gen/index.ts';
import type { Profile } from '../queue/match.ts';
import type { AgentRecord } from './fleet.ts';
import type { Told } from './health.ts';
import { profileOf } from './profiles.ts';

/** Records of one call. */
const BUDGET = 1024;
/** Records between two turns of the event loop. */
const PAGE = 128;

export interface RosterEntry {
  readonly id: string;
  readonly state: AgentState;
  readonly sessionId: string;
  readonly connectedAtMs: number;
  readonly heartbeatAtMs: number;
  readonly profile: Profile;
  readonly record: AgentRecord;
  readonly results: Told;
}

interface Known {
  readonly text: string;
  readonly entry: RosterEntry;
  round: number;
}

export class Roster {
  readonly #redis: Redis | Cluster;
  readonly #key: string;
  readonly #known = new Map<string, Known>();
  #cursor = '0';
  #round = 0;
  #refreshing: Promise<void> | undefined;

  constructor(redis: Redis | Cluster, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  *entries(): Generator<RosterEntry, void, undefined> {
    for (const { entry } of this.#known.values()) yield entry;
  }

  find(id: string): RosterEntry | undefined {
    return this.#known.get(id)?.entry;
  }

  /** Calls at the same time are one. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#read().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #read(): Promise<void> {
    for (let read = 0; read < BUDGET;) {
      if (this.#cursor === '0') this.#round++;
      const [cursor, page] = await this.#redis.hscan(this.#key, this.#cursor, 'COUNT', PAGE);
      for (let i = 0; i < page.length; i += 2) this.#take(page[i] as string, page[i + 1] as string);
      read += page.length / 2;
      this.#cursor = cursor;
      if (cursor === '0') {
        for (const [id, { round }] of this.#known) if (round !== this.#round) this.#known.delete(id);
        return;
      }
      await new Promise(setImmediate);
    }
  }

  #take(id: string, text: string): void {
    const known = this.#known.get(id);
    if (known?.text === text) {
      known.round = this.#round;
      return;
    }
    const record = JSON.parse(text) as AgentRecord;
    const { state, sessionId, connectedAtMs, heartbeatAtMs, advertisement, results } = record;
    const profile = profileOf(advertisement);
    const entry: RosterEntry = {
      id,
      state,
      sessionId,
      connectedAtMs,
      heartbeatAtMs,
      profile,
      results,
      record,
    };
    this.#known.set(id, { text, entry, round: this.#round });
  }
}
