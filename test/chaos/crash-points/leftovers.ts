/**
 * What a cell still holds when every workflow has ended: nothing that points at work, and no record without an owner.
 */
import type { Redis } from 'ioredis';
import { keys } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { until } from '../../support/until.ts';

/** Length of a local id. */
const WID = 26;
/** Timers of jobs that have ended run out by themselves; the longest of the workload is below this, milliseconds. */
const SETTLE_MS = 5000;

export async function leftovers(redis: Redis, cell: Cell, known: ReadonlySet<string>): Promise<string[]> {
  let open: string[] = [];
  await until(
    'the cell to be clean',
    async () => {
      open = await openWork(redis, cell);
      return open.length === 0;
    },
    { timeoutMs: SETTLE_MS, everyMs: 20 },
  ).catch(() => undefined);
  return [...open, ...(await orphans(redis, cell, known))];
}

async function openWork(redis: Redis, cell: Cell): Promise<string[]> {
  const zsets = {
    offers: keys.offers(cell),
    leases: keys.leases(cell),
    timers: keys.timers(cell),
    todo: keys.todo(cell),
  };
  const found: string[] = [];
  for (const [name, key] of Object.entries(zsets)) {
    const members = await redis.zrange(key, '0', '4');
    if (members.length > 0) found.push(`left in ${name}: ${members.join(', ')}`);
  }
  const all = await redis.keys(`${cell.prefix}*`);
  const of = (kind: string): string[] => all.filter((key) => key.startsWith(`${cell.prefix}${kind}:`));
  for (const key of [...of('q'), ...of('p')]) found.push(`left: ${key}`);
  return found;
}

async function orphans(redis: Redis, cell: Cell, known: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  const all = await redis.keys(`${cell.prefix}*`);
  const of = (kind: string): string[] => all.filter((key) => key.startsWith(`${cell.prefix}${kind}:`));
  for (const bucket of of('w')) {
    for (const field of await redis.hkeys(bucket))
      if (!known.has(field.slice(0, WID))) found.push(`nobody knows the record ${field}`);
    for (const field of await redis.hkeys(bucket))
      if (field.length === WID + 1 && field.endsWith('h')) found.push(`a claim is left: ${field}`);
  }
  for (const key of of('e')) if (!known.has(key.slice(-WID))) found.push(`nobody knows the events ${key}`);
  const created: string[] = [];
  for (const key of of('x')) created.push(...(await redis.lrange(key, 0, -1)));
  if (new Set(created).size !== created.length) found.push('a workflow was created twice');
  for (const wid of created) if (!known.has(wid)) found.push(`nobody knows the workflow ${wid}`);
  return found;
}
