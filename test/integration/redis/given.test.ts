/** A Redis that somebody else runs: what is checked of it, and reaching it by way of Sentinel. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../runtime/free-port.ts';
import { checkRedis } from '../../../runtime/redis/check.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { pingRedis } from '../../../runtime/redis/ping.ts';
import { connectSubscriber } from '../../../runtime/redis/subscriber.ts';
import { startCommand } from '../../support/proc.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis({ durable: true });
const open: RedisConnection[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => closeRedis(connection)));
});

async function connect(target: string): Promise<RedisConnection> {
  const connection = await connectRedis({ target, name: 'given' });
  open.push(connection);
  return connection;
}

describe('checkRedis', () => {
  test('finds nothing wrong with one that is set up as it should be', async () => {
    expect(await checkRedis(await connect(redis().url))).toEqual({ refusals: [], warnings: [] });
  });

  test('refuses eviction where there is a limit, and warns of it where there is none', async () => {
    const connection = await connect(redis().url);
    await connection.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect((await checkRedis(connection)).warnings[0]).toMatch(/noeviction/);
    await connection.config('SET', 'maxmemory', '1gb');
    expect((await checkRedis(connection)).refusals[0]).toMatch(/allkeys-lru.*noeviction/);
    await connection.config('SET', 'maxmemory', '0');
    await connection.config('SET', 'maxmemory-policy', 'noeviction');
  });

  test('warns of a missing append-only file', async () => {
    const connection = await connect(redis().url);
    await connection.config('SET', 'appendonly', 'no');
    expect((await checkRedis(connection)).warnings).toEqual([expect.stringMatching(/appendonly/)]);
    await connection.config('SET', 'appendonly', 'yes');
  });

  test('refuses a replica', async () => {
    const connection = await connect(redis().url);
    await connection.call('REPLICAOF', '127.0.0.1', '1');
    expect((await checkRedis(connection)).refusals[0]).toMatch(/replica/);
    await connection.call('REPLICAOF', 'NO', 'ONE');
  });
});

test('Sentinel leads commands and subscriptions to the master', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-sentinel-'));
  const port = await freePort();
  await writeFile(
    join(folder, 'sentinel.conf'),
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor main 127.0.0.1 ${redis().port} 1\n`,
  );
  await using sentinel = startCommand('redis-server', {
    args: [join(folder, 'sentinel.conf'), '--sentinel'],
  });
  await until('Sentinel to answer', async () => (await pingRedis({ host: '127.0.0.1', port })) === 'ready');
  const target = `redis+sentinel://127.0.0.1:${port}/main`;
  const connection = await connect(target);
  const subscriber = await connectSubscriber({ target, name: 'given' });
  const heard: string[] = [];
  await subscriber.subscribe('a', (message) => heard.push(message));
  await connection.spublish('a', 'by sentinel');
  await until('the message', () => heard.length > 0);
  expect(heard).toEqual(['by sentinel']);
  await subscriber.close();
  await sentinel.end();
  await rm(folder, { recursive: true, force: true });
});
