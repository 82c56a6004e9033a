/** The big race on one Redis: two coordinators, two connections. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeCell } from '../../../coordinator/queue/keys.ts';
import { cellTag } from '../../../coordinator/queue/slots.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedis } from '../../support/redis.ts';
import { losing, race } from './race.ts';

const redis = useRedis();
let connections: RedisConnection[];
beforeAll(async () => {
  connections = await Promise.all(
    ['left', 'right'].map((name) => connectRedis({ target: redis().url, name })),
  );
});
beforeEach(() => redis().flush());
afterAll(() => Promise.all(connections.map((connection) => closeRedis(connection))));

const cells = [makeCell('race', 0, cellTag(0, 1))];

test('10,000 jobs, fifty claimers: each is won once', async () => {
  expect(await race({ connections, cells, inTurn: false })).toBe(10_000);
});

test('the same, with answers lost on the way', async () => {
  const [left, right] = connections as [RedisConnection, RedisConnection];
  const lossy = [losing(left, 5), losing(right, 7)];
  // The judge reads through a connection that loses nothing.
  const reading = new Proxy(left, {
    get: (target, name) =>
      name === 'callBuffer' ? lossy[0]?.callBuffer : (Reflect.get(target, name, target) as unknown),
  });
  expect(await race({ connections: [reading, lossy[1] as RedisConnection], cells, inTurn: true })).toBe(
    10_000,
  );
});
