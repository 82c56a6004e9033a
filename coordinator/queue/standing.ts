/**
 * Places of waiting jobs in their queues, for one answer: what several jobs need is read once.
 *
 * Invariant: exact among a queue's first ENTRIES_COUNTED entries; behind them every entry counts as one job.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys, sliceOfMember } from './keys.ts';
import type { Cell } from './keys.ts';
import type { JobRecord, Reads } from './reads.ts';
import { runField } from './runs.ts';

/** Entries looked at one by one. */
const ENTRIES_COUNTED = 4096;

interface Front {
  /** Jobs ahead of an entry, by member. */
  readonly ahead: ReadonlyMap<string, number>;
  /** What these entries stand for beyond one job each. */
  readonly beyond: number;
}

export class Standing {
  readonly #redis: Redis | Cluster;
  readonly #reads: Reads;
  readonly #cell: Cell;
  readonly #fronts = new Map<string, Promise<Front>>();
  readonly #entries = new Map<string, ReturnType<Reads['entriesOf']>>();

  constructor(redis: Redis | Cluster, reads: Reads, cell: Cell) {
    this.#redis = redis;
    this.#reads = reads;
    this.#cell = cell;
  }

  /** From 1 on; 0 = it stands in no queue. */
  async of(wid: string, step: number, ordinal: number, job: JobRecord): Promise<number> {
    const entry = job.own
      ? { member: job.member, ahead: 0 }
      : (
          await once(this.#entries, runField(wid, step, ordinal, 'r'), () =>
            this.#reads.entriesOf(this.#cell, wid, step, ordinal),
          )
        )(ordinal);
    if (entry === undefined) return 0;
    const key = keys.queue(this.#cell, job.queue);
    const front = await once(this.#fronts, job.queue, () => this.#front(key));
    const ahead = front.ahead.get(entry.member);
    if (ahead !== undefined) return ahead + entry.ahead + 1;
    const rank = await this.#redis.zrank(key, entry.member);
    return rank === null ? 0 : rank + front.beyond + entry.ahead + 1;
  }

  async #front(key: string): Promise<Front> {
    const ahead = new Map<string, number>();
    let jobs = 0;
    for (const member of await this.#redis.zrange(key, '0', String(ENTRIES_COUNTED - 1))) {
      ahead.set(member, jobs);
      jobs += sliceOfMember(member).count;
    }
    return { ahead, beyond: jobs - ahead.size };
  }
}

function once<V>(known: Map<string, Promise<V>>, key: string, read: () => Promise<V>): Promise<V> {
  let value = known.get(key);
  if (value === undefined) {
    value = read();
    known.set(key, value);
  }
  return value;
}
