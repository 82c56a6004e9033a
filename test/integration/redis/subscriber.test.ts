/** Sharded subscriptions on one server: delivered, restored after a loss, and the gap is told. */
import { afterEach, expect, test } from 'vitest';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { connectSubscriber } from '../../../runtime/redis/subscriber.ts';
import type { Subscriber, SubscriberOptions } from '../../../runtime/redis/subscriber.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function publisher(): Promise<RedisConnection> {
  const connection = await connectRedis({ target: redis().url, name: 'publisher' });
  cleanups.push(() => closeRedis(connection));
  return connection;
}

async function subscriber(options: Partial<SubscriberOptions> = {}): Promise<Subscriber> {
  const made = await connectSubscriber({ target: redis().url, name: 'subscriber', ...options });
  cleanups.push(() => made.close());
  return made;
}

test('every listener of a channel hears every message, in order', async () => {
  const [sub, pub] = await Promise.all([subscriber(), publisher()]);
  const heard: string[] = [];
  await sub.subscribe('a', (message) => heard.push(`1:${message}`));
  await sub.subscribe('a', (message, channel) => heard.push(`2:${message}@${channel}`));
  await pub.spublish('a', 'x');
  await pub.spublish('b', 'not for us');
  await pub.spublish('a', 'y');
  await until('four messages', () => heard.length === 4);
  expect(heard).toEqual(['1:x', '2:x@a', '1:y', '2:y@a']);
});

test('scripts may publish', async () => {
  const [sub, pub] = await Promise.all([subscriber(), publisher()]);
  const heard: string[] = [];
  await sub.subscribe('{c}:wake', (message) => heard.push(message));
  await pub.eval(`return redis.call('SPUBLISH', KEYS[1], ARGV[1])`, 1, '{c}:wake', 'up');
  await until('the message', () => heard.length === 1);
  expect(heard).toEqual(['up']);
});

test('after unsubscribe nothing is heard', async () => {
  const [sub, pub] = await Promise.all([subscriber(), publisher()]);
  const heard: string[] = [];
  await sub.subscribe('a', (message) => heard.push(message));
  await sub.unsubscribe('a');
  expect(await pub.spublish('a', 'x')).toBe(0);
  await sub.subscribe('a', (message) => heard.push(message));
  await pub.spublish('a', 'again');
  await until('the message', () => heard.length > 0);
  expect(heard).toEqual(['again']);
});

test('after a crash of Redis every channel is back, and each gap is told once', async () => {
  const sub = await subscriber();
  const gaps: string[] = [];
  const heard: string[] = [];
  sub.onGap((channel) => gaps.push(channel));
  for (const channel of ['a', 'b', 'c']) await sub.subscribe(channel, (message) => heard.push(message));
  expect(gaps).toEqual([]);
  await redis().crash();
  await redis().restart();
  await until('all gaps', () => gaps.length === 3);
  const pub = await publisher();
  for (const channel of ['a', 'b', 'c']) await pub.spublish(channel, channel);
  await until('all messages', () => heard.length === 3);
  expect(gaps.toSorted()).toEqual(['a', 'b', 'c']);
});

test('a subscription asked for while Redis is down is made when it is back', async () => {
  const sub = await subscriber();
  await redis().crash();
  const subscribing = sub.subscribe('late', () => undefined);
  await redis().restart();
  await expect(subscribing).resolves.toBeUndefined();
});

test('a frozen connection is found out and replaced', async () => {
  const errors: Error[] = [];
  const gaps: string[] = [];
  const sub = await subscriber({
    refreshMs: 50,
    commandTimeoutMs: 100,
    onError: (error) => errors.push(error),
  });
  sub.onGap((channel) => gaps.push(channel));
  await sub.subscribe('a', () => undefined);
  redis().freeze();
  await until('the loss to be noticed', () => errors.length > 0).finally(() => redis().thaw());
  await until('the gap', () => gaps.length > 0);
  expect(gaps).toEqual(['a']);
});

test('closing rejects who still waits, and is idempotent', async () => {
  const sub = await subscriber();
  await redis().crash();
  const waiting = sub.subscribe('never', () => undefined);
  await Promise.all([expect(waiting).rejects.toThrow('closed'), sub.close(), sub.close()]);
  await expect(sub.subscribe('more', () => undefined)).rejects.toThrow('closed');
  await redis().restart();
});

test('without a Redis connecting fails', async () => {
  await expect(connectSubscriber({ target: 'redis://127.0.0.1:1', name: 'none' })).rejects.toThrow();
});
