/**
 * What waits in every queue at one moment: how much, at what cost, in which order.
 *
 * Invariants:
 * 1. An empty queue costs three commands, one that holds jobs at most LOOKS more; all of a cell go in two trips.
 * 2. Order within a queue is known at LOOKS places and taken as even between them.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys, sliceOfMember } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';

/** As claim.lua has it: band and age in one number. */
const AGE = 2 ** 40;
const BAND_SHIFT = 2 ** 50;
/** Units of virtual time a cost of 1 takes at weight 1,000. */
const UNITS = 1024;
/** Places looked at in a long queue; a shorter one is read whole. */
const LOOKS = 16;
/** Fields of a class's clocks that are read whole. */
const MAX_CLOCKS = 64;

interface Place {
  readonly rank: number;
  /** Low numbers are claimed first: band, then age. */
  readonly order: number;
  readonly score: number;
  /** Jobs its entry stands for. */
  readonly jobs: number;
}

/** One queue in one cell. */
export interface QueueNow {
  readonly cell: Cell;
  readonly entries: number;
  /** Jobs that wait. */
  readonly jobs: number;
  /** What entries stand for beyond one job each. */
  readonly beyond: number;
  /** The tenant all of it belongs to; undefined = several. */
  readonly tenant: string | undefined;
  readonly places: readonly Place[];
}

export async function readQueues(
  redis: Redis | Cluster,
  cell: Cell,
  names: readonly string[],
): Promise<ReadonlyMap<string, QueueNow>> {
  const sizes = redis.pipeline();
  for (const name of names) {
    sizes.zcard(keys.queue(cell, name));
    sizes.hget(keys.fair(cell, name), 'R');
    sizes.hlen(keys.fair(cell, name));
  }
  const answers = values(await sizes.exec());
  const held = names.flatMap((name, index) => {
    const entries = Number(answers[3 * index]);
    return entries === 0
      ? []
      : [
          {
            name,
            entries,
            beyond: Number(answers[3 * index + 1] ?? 0),
            clocks: Number(answers[3 * index + 2]),
            ranks: ranksOf(entries),
          },
        ];
  });
  const looks = redis.pipeline();
  for (const { name, ranks, clocks } of held) {
    const key = keys.queue(cell, name);
    if (ranks === undefined) looks.zrange(key, '0', String(LOOKS - 1), 'WITHSCORES');
    else for (const rank of ranks) looks.zrange(key, String(rank), String(rank), 'WITHSCORES');
    if (clocks <= MAX_CLOCKS) looks.hkeys(keys.fair(cell, name));
    else looks.hget(keys.fair(cell, name), 'R');
  }
  const found = held.length === 0 ? [] : values(await looks.exec());
  const queues = new Map<string, QueueNow>();
  let at = 0;
  for (const { name, entries, beyond, ranks } of held) {
    const places: Place[] = [];
    for (const rank of ranks ?? [0]) {
      const list = found[at++] as string[];
      for (let i = 0; i < list.length; i += 2)
        places.push(placeOf(rank + i / 2, list[i] as string, Number(list[i + 1])));
    }
    const clocks = found[at++];
    const jobs = entries + beyond;
    queues.set(name, { cell, entries, jobs, beyond, tenant: onlyTenant(clocks), places });
  }
  return queues;
}

function values(answers: [error: Error | null, value: unknown][] | null): unknown[] {
  return (answers ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}

/** Undefined = all of them. */
function ranksOf(entries: number): readonly number[] | undefined {
  if (entries <= LOOKS) return undefined;
  return Array.from({ length: LOOKS }, (_, i) => Math.round((i * (entries - 1)) / (LOOKS - 1)));
}

function placeOf(rank: number, member: string, score: number): Place {
  return { rank, order: orderOf(member, score), score, jobs: sliceOfMember(member).count };
}

/** What decides between the entries of several classes. */
export function orderOf(member: string, score: number): number {
  return Math.floor(score / BAND_SHIFT) * AGE + Number.parseInt(member.slice(0, 10), 16);
}

/** The age in an order. */
export function ageOf(order: number): number {
  return order - Math.floor(order / AGE) * AGE;
}

function onlyTenant(clocks: unknown): string | undefined {
  if (!Array.isArray(clocks)) return undefined;
  const tenants = new Set(
    (clocks as string[])
      .filter((field) => field.startsWith('F'))
      .map((field) => field.slice(field.indexOf('|') + 1)),
  );
  return tenants.size === 1 ? [...tenants][0] : undefined;
}

/** Jobs of a queue that come before an entry of another queue. */
export function jobsBefore({ places, entries, jobs }: QueueNow, order: number): number {
  const perEntry = jobs / entries;
  let before: Place | undefined;
  for (const place of places) {
    if (place.order >= order) {
      if (before === undefined) return 0;
      const share = (order - before.order) / (place.order - before.order);
      return Math.max(1, (before.rank + (place.rank - before.rank) * share) * perEntry);
    }
    before = place;
  }
  return jobs;
}

/** The order of the job that has this many of the queue before it. */
export function orderAt({ places, entries, jobs }: QueueNow, taken: number): number {
  const rank = (taken * entries) / jobs;
  let before = places[0] as Place;
  for (const place of places) {
    if (place.rank >= rank) {
      if (place.rank === before.rank) return place.order;
      return (
        before.order + ((place.order - before.order) * (rank - before.rank)) / (place.rank - before.rank)
      );
    }
    before = place;
  }
  return before.order;
}

/** Cost between two scores of one band, where all of it is one tenant's. */
export function costBetween(from: number, to: number, weight: number): number {
  return Math.max(0, ((to - from) * weight) / (UNITS * 1000));
}

/**
 * Mean cost of the jobs of a queue that is all one tenant's, from how far apart their scores lie; undefined where that does not tell.
 */
export function meanCost(queue: QueueNow, weight: number): number | undefined {
  if (queue.tenant === undefined) return undefined;
  let cost = 0;
  let jobs = 0;
  const perEntry = queue.jobs / queue.entries;
  for (let i = 1; i < queue.places.length; i++) {
    const [one, other] = [queue.places[i - 1] as Place, queue.places[i] as Place];
    if (Math.floor(one.score / BAND_SHIFT) !== Math.floor(other.score / BAND_SHIFT)) continue;
    cost += costBetween(one.score, other.score, weight);
    const between = other.rank - one.rank;
    jobs += between === 1 ? one.jobs : between * perEntry;
  }
  return jobs === 0 || cost === 0 ? undefined : cost / jobs;
}

/** Whether two scores lie in one band. */
export function sameBand(one: number, other: number): boolean {
  return Math.floor(one / BAND_SHIFT) === Math.floor(other / BAND_SHIFT);
}
