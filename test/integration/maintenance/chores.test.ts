/** The fleet's chores on real Redis servers: they go on through restarts and lost keys, and never hold up a stop. */
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { chorePrefix } from '../../../coordinator/maintenance/chore-queue.ts';
import { Chores } from '../../../coordinator/maintenance/chores.ts';
import { useRedis, useRedisCluster } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis({ durable: true });
const cluster = useRedisCluster();
const EVERY_MS = 100;

const running: Chores[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((chores) => chores.stop()));
});

interface Seen {
  runs: number;
  readonly troubles: string[];
  wells: number;
}

function startChores(
  target: string,
  namespace: string,
  fail = (): boolean => false,
): Seen & { chores: Chores } {
  const chores = new Chores({
    target,
    namespace,
    chores: [
      {
        name: 'sweep',
        everyMs: EVERY_MS,
        run: async () => {
          seen.runs++;
          if (fail()) throw new Error('the chore failed');
        },
      },
    ],
    onTrouble: (error) => void seen.troubles.push((error as Error).message),
    onWell: () => void seen.wells++,
  });
  const seen = { runs: 0, troubles: [] as string[], wells: 0, chores };
  running.push(chores);
  void chores.start();
  return seen;
}

async function more(seen: Seen, count = 3): Promise<void> {
  const from = seen.runs;
  await until(`${count} more runs`, () => seen.runs >= from + count, { timeoutMs: 20_000 });
}

async function withRaw<T>(use: (raw: Redis) => Promise<T>): Promise<T> {
  const raw = new Redis({ host: redis().host, port: redis().port, lazyConnect: true });
  try {
    return await use(raw);
  } finally {
    raw.disconnect();
  }
}

describe('chores', () => {
  it('are done by somebody again and again, and keep little', async () => {
    const [one, two] = [startChores(redis().url, 'many'), startChores(redis().url, 'many')];
    await until('30 runs', () => one.runs + two.runs >= 30, { timeoutMs: 20_000 });
    const kept = await withRaw(async (raw) => ({
      keys: await raw.keys('{many-chores}:*'),
      done: await raw.zcard('{many-chores}:chores:completed'),
      events: await raw.xlen('{many-chores}:chores:events'),
      all: await raw.keys('*chores*'),
    }));
    expect(kept.done).toBeLessThanOrEqual(10);
    // Redis cuts a stream by whole nodes of 100 entries.
    expect(kept.events).toBeLessThanOrEqual(300);
    expect(kept.keys.length).toBeLessThan(40);
    expect(kept.all.every((key) => key.startsWith(chorePrefix('many')))).toBe(true);
    expect([one.troubles, two.troubles]).toEqual([[], []]);
  });

  it.each([
    ['all keys', (key: string) => key],
    ['the next run', (key: string) => (/:delayed$|:repeat:sweep:\d+$/.test(key) ? key : undefined)],
  ])('come back when %s were lost', async (_what, chosen) => {
    const seen = startChores(redis().url, 'lost');
    await more(seen);
    await withRaw(async (raw) => {
      const keys = (await raw.keys('{lost-chores}:*')).map(chosen).filter((key) => key !== undefined);
      expect(keys.length).toBeGreaterThan(0);
      await raw.del(...keys);
    });
    await more(seen);
  });

  it('go on after Redis was killed and came back, and say so once', async () => {
    const seen = startChores(redis().url, 'restart');
    await more(seen);
    await redis().crash();
    await until('the trouble to be told', () => seen.troubles.length > 0);
    await redis().restart();
    await more(seen);
    await until('that it is over', () => seen.wells === 1);
    expect(seen.troubles).toHaveLength(1);
  });

  it('wait for a Redis that is not there at the start', async () => {
    await redis().crash();
    const seen = startChores(redis().url, 'late');
    await until('the trouble to be told', () => seen.troubles.length > 0, { timeoutMs: 20_000 });
    await redis().restart();
    await more(seen);
    expect(seen.troubles).toHaveLength(1);
  });

  it('that fail are told once, and done again all the same', async () => {
    const seen = startChores(redis().url, 'failing', () => true);
    await more(seen, 8);
    expect(seen.troubles.length).toBeLessThanOrEqual(2);
    expect(seen.troubles[0]).toBe('the chore failed');
  });

  it('end while Redis answers nothing', async () => {
    const seen = startChores(redis().url, 'frozen');
    await more(seen);
    redis().freeze();
    try {
      await expect(seen.chores.stop()).resolves.toBeUndefined();
    } finally {
      redis().thaw();
    }
  });

  it('leave no connection behind', async () => {
    const chores = () =>
      withRaw(async (raw) =>
        String(await raw.call('CLIENT', 'LIST'))
          .split('\n')
          .filter((line) => line.includes('chores')),
      );
    const seen = startChores(redis().url, 'gone');
    await more(seen);
    expect((await chores()).length).toBeGreaterThan(0);
    await seen.chores.stop();
    await until('every connection to be closed', async () => (await chores()).length === 0);
  });

  it('run on a Cluster, in one slot', async () => {
    const seen = startChores(cluster().url, 'dibs');
    await more(seen);
    expect(seen.troubles).toEqual([]);
  });

  it('run over a socket', async () => {
    const seen = startChores(`unix://${redis().folder}/redis.sock`, 'socket');
    await more(seen);
    expect(seen.troubles).toEqual([]);
  });
});
