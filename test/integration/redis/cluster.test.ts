/** The same promises on a real Cluster of three: commands, subscriptions, a lost node, a slot that moves. */
import { afterEach, expect, test } from 'vitest';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { connectSubscriber } from '../../../runtime/redis/subscriber.ts';
import type { Subscriber, SubscriberOptions } from '../../../runtime/redis/subscriber.ts';
import { useRedisCluster } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const cluster = useRedisCluster();
const TAGS = ['{a}', '{b}', '{c}', '{d}', '{e}', '{f}'];
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function connect(): Promise<RedisConnection> {
  const connection = await connectRedis({ target: cluster().url, name: 'commands' });
  cleanups.push(() => closeRedis(connection));
  return connection;
}

async function subscriber(options: Partial<SubscriberOptions> = {}): Promise<Subscriber> {
  const made = await connectSubscriber({ target: cluster().url, name: 'subscriber', ...options });
  cleanups.push(() => made.close());
  return made;
}

test('the first commands reach every node at once', async () => {
  const connection = await connect();
  const keys = Array.from({ length: 300 }, (_, index) => `{${index}}`);
  await Promise.all(keys.map((key) => connection.set(key, key)));
  expect(await Promise.all(keys.map((key) => connection.get(key)))).toEqual(keys);
});

test('messages of every slot arrive, from commands and from scripts', async () => {
  const [sub, pub] = await Promise.all([subscriber(), connect()]);
  const heard: string[] = [];
  await Promise.all(TAGS.map((tag) => sub.subscribe(`${tag}:ch`, (message) => heard.push(message))));
  for (const tag of TAGS) {
    await pub.spublish(`${tag}:ch`, tag);
    await pub.eval(`redis.call('SPUBLISH', KEYS[1] .. ':ch', ARGV[1])`, 1, tag, `${tag} by script`);
  }
  await until('all messages', () => heard.length === 2 * TAGS.length);
  expect(heard.toSorted()).toEqual(TAGS.flatMap((tag) => [tag, `${tag} by script`]).toSorted());
});

test('a node that was lost and came back serves commands and subscriptions again', async () => {
  const [sub, pub] = await Promise.all([subscriber(), connect()]);
  const gaps = new Set<string>();
  sub.onGap((channel) => gaps.add(channel));
  let heard: string[] = [];
  for (const tag of TAGS) await sub.subscribe(tag, (message) => heard.push(message));
  const owner = await cluster().ownerOf('{a}');
  await owner.crash();
  await until('commands for it to fail', async () =>
    pub.get('{a}').then(
      () => false,
      () => true,
    ),
  );
  await owner.restart();
  await until('commands for it to work', () => pub.set('{a}', 'back'));
  await until('the gap of {a}', () => gaps.has('{a}'));
  heard = [];
  await Promise.all(
    TAGS.map((tag) => until(`publishing to ${tag}`, async () => (await pub.spublish(tag, tag)) === 1)),
  );
  await until('all messages', () => heard.length >= TAGS.length);
  expect(new Set(heard)).toEqual(new Set(TAGS));
});

test('a slot that moves takes its channel along, others notice nothing', async () => {
  const [sub, pub] = await Promise.all([subscriber({ refreshMs: 60_000 }), connect()]);
  const gaps: string[] = [];
  sub.onGap((channel) => gaps.push(channel));
  const heard: string[] = [];
  for (const tag of TAGS) await sub.subscribe(tag, (message) => heard.push(message));
  await pub.set('{a}', 'kept');
  const from = await cluster().ownerOf('{a}');
  const to = cluster().nodes.find((node) => node !== from);
  if (to === undefined) throw new Error('one node only');
  await cluster().moveSlot('{a}', to);
  await until('the channel to be moved', () => gaps.includes('{a}'));
  expect(await pub.get('{a}')).toBe('kept');
  expect(await pub.spublish('{a}', 'still here')).toBe(1);
  await until('the message', () => heard.includes('still here'));
  expect(gaps).toEqual(['{a}']);
});

test('a move nobody told us of is found by the refresh', async () => {
  const [sub, pub] = await Promise.all([subscriber({ refreshMs: 50 }), connect()]);
  await sub.subscribe('{b}', () => undefined);
  const from = await cluster().ownerOf('{b}');
  const to = cluster().nodes.find((node) => node !== from);
  if (to === undefined) throw new Error('one node only');
  await cluster().moveSlot('{b}', to);
  const heardBy = await until('a receiver at the new place', () => pub.spublish('{b}', 'x'));
  expect(heardBy).toBe(1);
});
