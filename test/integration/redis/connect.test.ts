/** Commands are written once and settle in time, whatever Redis does. */
import { afterEach, describe, expect, test } from 'vitest';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { ConnectOptions, RedisConnection } from '../../../runtime/redis/connect.ts';
import { storeFailure } from '../../../runtime/redis/store-errors.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis({ durable: true });
const open: RedisConnection[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => closeRedis(connection)));
});

async function connect(options: Partial<ConnectOptions> = {}): Promise<RedisConnection> {
  const connection = await connectRedis({ target: redis().url, name: 'test', ...options });
  open.push(connection);
  return connection;
}

test('the connection is ready and named', async () => {
  const connection = await connect();
  expect(await connection.client('GETNAME')).toBe('dibs:test');
});

test('a lost reply never applies a command twice', async () => {
  const connection = await connect({ commandTimeoutMs: 60_000 });
  await connection.set('n', 0);
  redis().freeze();
  // Written to the socket, executed when the server thaws; the reply is lost with the connection.
  const increments = Array.from({ length: 50 }, () => connection.incr('n'));
  const outcomes = Promise.allSettled(increments);
  await until(
    'the increments to be written',
    () => (connection as { stream?: { writableLength: number } }).stream?.writableLength === 0,
  );
  (connection as unknown as { stream: { destroy(): void } }).stream.destroy();
  expect((await outcomes).every(({ status }) => status === 'rejected')).toBe(true);
  redis().thaw();
  const second = await connect();
  await until('the increments that were written to run', async () => Number(await second.get('n')) >= 1);
  await until('the first connection to be back', () => connection.status === 'ready');
  await connection.ping();
  expect(Number(await second.get('n'))).toBeLessThanOrEqual(50);
});

test('a frozen Redis fails commands after the timeout, and the connection stays usable', async () => {
  const connection = await connect({ commandTimeoutMs: 100 });
  redis().freeze();
  const error = await connection.get('x').catch((reason: unknown) => reason);
  redis().thaw();
  expect(storeFailure(error)).toBe('unavailable');
  await until('an answer again', () => connection.ping());
});

test('without a server commands fail at once; with it back they work again', async () => {
  const errors: Error[] = [];
  const connection = await connect({ onError: (error) => errors.push(error) });
  await connection.set('kept', 'yes');
  await redis().crash();
  await until('the loss to be noticed', () => connection.status !== 'ready');
  const error = await connection.get('kept').catch((reason: unknown) => reason);
  expect(storeFailure(error)).toBe('unavailable');
  await until('a failed attempt to be told', () => errors.length);
  await redis().restart();
  await until('the connection to be back', () => connection.status === 'ready');
  expect(await connection.get('kept')).toBe('yes');
});

describe('at the start', () => {
  test('waits for a Redis that comes up later', async () => {
    await redis().crash();
    const connecting = connect();
    await redis().restart();
    expect(await (await connecting).ping()).toBe('PONG');
  });

  test('gives up at the deadline and says what was wrong', async () => {
    await expect(connect({ target: 'redis://127.0.0.1:1', readyTimeoutMs: 300 })).rejects.toThrow(
      /Redis 127\.0\.0\.1:1 was not ready within 300 ms: .*ECONNREFUSED/,
    );
  });

  test('a wrong password fails at once', async () => {
    const admin = await connect();
    await admin.config('SET', 'requirepass', 'right');
    try {
      await expect(connect({ target: `redis://:wrong@127.0.0.1:${redis().port}` })).rejects.toThrow(
        /refused the credentials/,
      );
      expect(await (await connect({ target: `redis://:right@127.0.0.1:${redis().port}` })).ping()).toBe(
        'PONG',
      );
    } finally {
      await admin.config('SET', 'requirepass', '');
    }
  });
});

test('closing twice, and closing without a server, is fine', async () => {
  const connection = await connect();
  await closeRedis(connection);
  await closeRedis(connection);
  const other = await connect();
  await redis().crash();
  await until('the loss to be noticed', () => other.status !== 'ready');
  await closeRedis(other);
  await redis().restart();
  await expect(other.ping()).rejects.toThrow();
});
