/**
 * Places of waiting jobs in their queues, for one answer: what several jobs need is read once.
 *
 * Invariants:
 * 1. Exact in a queue without runs, and among the first ENTRIES_COUNTED entries of one with runs; behind them every entry counts as
 *    many jobs as they do on average (`exact` says which).
 * 2. A queue without runs is not read: the rank is the place.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys, sliceOfMember } from './keys.ts';
import type { Cell } from './keys.ts';
import type { JobRecord, Reads } from './reads.ts';
import { runField } from './runs.ts';

/** Entries looked at one by one. */
const ENTRIES_COUNTED = 4096;

/** Field of a class's clocks: jobs its entries stand for beyond one each (lua/lib/queue.lua). */
export const JOBS_BEYOND_ENTRIES = 'R';

interface Front {
  /** Entries by member; those of runs by the run's field as well: a claim of any of its jobs gives a run another member. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly size: number;
  /** What these entries stand for beyond one job each. */
  readonly beyond: number;
  /** The same of all entries. */
  readonly allBeyond: number;
  /** Entries of the whole queue. */
  readonly all: number;
}

interface Entry {
  /** Jobs ahead of it. */
  readonly ahead: number;
  /** Ordinal of its first job. */
  readonly ordinal: number;
  readonly member: string;
  readonly score: number;
}

/** Where a job stands in its queue. */
export interface Place {
  /** From 1 on. */
  readonly position: number;
  readonly exact: boolean;
  /** Its entry's. */
  readonly member: string;
  readonly score: number;
  /** Jobs before it in its own entry. */
  readonly within: number;
}

export class Standing {
  readonly #redis: Redis | Cluster;
  readonly #reads: Reads;
  readonly #cell: Cell;
  readonly #fronts = new Map<string, Promise<Front | undefined>>();
  readonly #runs = new Map<string, ReturnType<Reads['entriesOf']>>();

  constructor(redis: Redis | Cluster, reads: Reads, cell: Cell) {
    this.#redis = redis;
    this.#reads = reads;
    this.#cell = cell;
  }

  /** Undefined = it stands in no queue. */
  async of(wid: string, step: number, ordinal: number, job: JobRecord): Promise<Place | undefined> {
    const key = keys.queue(this.#cell, job.queue);
    const front = await once(this.#fronts, job.queue, () => this.#front(job.queue));
    const field = runField(wid, step, ordinal, 'r');
    const entry = front?.entries.get(job.own ? job.member : field);
    if (entry !== undefined && job.own) return placeAt(0, entry);
    const run = job.own
      ? undefined
      : (await once(this.#runs, field, () => this.#reads.entriesOf(this.#cell, wid, step, ordinal)))(ordinal);
    if (entry !== undefined) {
      // Taken since the queue was read.
      if (ordinal < entry.ordinal) return undefined;
      return placeAt(ordinal - entry.ordinal - (run?.holes ?? 0), entry);
    }
    const member = run?.member ?? job.member;
    const [rank, score] = await Promise.all([
      this.#redis.zrank(key, member),
      this.#redis.zscore(key, member),
    ]);
    if (rank === null || score === null) return undefined;
    const [beyond, exact] = front === undefined ? [0, true] : beyondBefore(front, rank);
    const within = run?.ahead ?? 0;
    return { position: Math.round(rank + beyond) + within + 1, exact, member, score: Number(score), within };
  }

  /** Undefined = no entry stands for more than one job. */
  async #front(queue: string): Promise<Front | undefined> {
    const allBeyond = Number(
      (await this.#redis.hget(keys.fair(this.#cell, queue), JOBS_BEYOND_ENTRIES)) ?? 0,
    );
    if (allBeyond === 0) return undefined;
    const key = keys.queue(this.#cell, queue);
    const [list, all] = await Promise.all([
      this.#redis.zrange(key, '0', String(ENTRIES_COUNTED - 1), 'WITHSCORES'),
      this.#redis.zcard(key),
    ]);
    const entries = new Map<string, Entry>();
    let jobs = 0;
    for (let i = 0; i < list.length; i += 2) {
      const member = list[i] as string;
      const { wid, step, ordinal, count } = sliceOfMember(member);
      const entry = { ahead: jobs, ordinal, member, score: Number(list[i + 1]) };
      entries.set(member, entry);
      if (member.includes('+')) entries.set(runField(wid, step, ordinal, 'r'), entry);
      jobs += count;
    }
    const size = list.length / 2;
    return { entries, size, beyond: jobs - size, allBeyond, all };
  }
}

function placeAt(within: number, { ahead, member, score }: Entry): Place {
  return { position: ahead + within + 1, exact: true, member, score, within };
}

/** What the entries before a rank behind the front stand for beyond one job each. */
function beyondBefore({ size, beyond, allBeyond, all }: Front, rank: number): [jobs: number, exact: boolean] {
  const rest = Math.max(0, allBeyond - beyond);
  if (rest === 0 || all <= size) return [beyond, rest === 0];
  return [beyond + (rest * Math.max(0, rank - size)) / (all - size), false];
}

function once<V>(known: Map<string, Promise<V>>, key: string, read: () => Promise<V>): Promise<V> {
  let value = known.get(key);
  if (value === undefined) {
    value = read();
    known.set(key, value);
  }
  return value;
}
