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
  /** Entries by member; those of runs by the run's field as well: a claim of any of its jobs gives a run another member. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** What these entries stand for beyond one job each. */
  readonly beyond: number;
}

interface Entry {
  /** Jobs ahead of it. */
  readonly ahead: number;
  /** Ordinal of its first job. */
  readonly ordinal: number;
}

export class Standing {
  readonly #redis: Redis | Cluster;
  readonly #reads: Reads;
  readonly #cell: Cell;
  readonly #fronts = new Map<string, Promise<Front>>();
  readonly #runs = new Map<string, ReturnType<Reads['entriesOf']>>();

  constructor(redis: Redis | Cluster, reads: Reads, cell: Cell) {
    this.#redis = redis;
    this.#reads = reads;
    this.#cell = cell;
  }

  /** From 1 on; 0 = it stands in no queue. */
  async of(wid: string, step: number, ordinal: number, job: JobRecord): Promise<number> {
    const key = keys.queue(this.#cell, job.queue);
    const front = await once(this.#fronts, job.queue, () => this.#front(key));
    const field = runField(wid, step, ordinal, 'r');
    const entry = front.entries.get(job.own ? job.member : field);
    if (entry !== undefined && job.own) return entry.ahead + 1;
    const run = job.own
      ? undefined
      : (await once(this.#runs, field, () => this.#reads.entriesOf(this.#cell, wid, step, ordinal)))(ordinal);
    if (entry !== undefined) {
      // Taken since the queue was read.
      if (ordinal < entry.ordinal) return 0;
      return entry.ahead + ordinal - entry.ordinal - (run?.holes ?? 0) + 1;
    }
    const rank = await this.#redis.zrank(key, run?.member ?? job.member);
    return rank === null ? 0 : rank + front.beyond + (run?.ahead ?? 0) + 1;
  }

  async #front(key: string): Promise<Front> {
    const entries = new Map<string, Entry>();
    let jobs = 0;
    const members = await this.#redis.zrange(key, '0', String(ENTRIES_COUNTED - 1));
    for (const member of members) {
      const { wid, step, ordinal, count } = sliceOfMember(member);
      const entry = { ahead: jobs, ordinal };
      entries.set(member, entry);
      if (member.includes('+')) entries.set(runField(wid, step, ordinal, 'r'), entry);
      jobs += count;
    }
    return { entries, beyond: jobs - members.length };
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
