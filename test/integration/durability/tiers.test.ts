/** What each tier demands of Redis, and that t3 acknowledges nothing a replica has not got. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../../coordinator/coordinator.ts';
import { ConfigError } from '../../../runtime/config-error.ts';
import { createLogger } from '../../../runtime/log.ts';
import { checkRedis } from '../../../runtime/redis/check.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { startReplicas } from '../../support/redis-sentinel.ts';
import type { TestReplicas } from '../../support/redis-sentinel.ts';
import type { TestRedis } from '../../support/redis-server.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const plain = useRedis({ durable: true });
let set: TestReplicas;
let master: TestRedis;
let replica: TestRedis;
beforeAll(async () => {
  set = await startReplicas(1);
  [master, replica] = set.nodes as [TestRedis, TestRedis];
});
afterAll(() => set?.stop());

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
});

async function start(namespace: string): Promise<{ client: DibsClient; address: string; raw: Redis }> {
  const one = await startCoordinator(master.url, { namespace, durability: 't3', replicaWaitMs: 100 });
  closing.push(() => one.stop());
  const client = createClient({ address: one.address });
  closing.push(() => client.close());
  const raw = new Redis({ host: '127.0.0.1', port: master.port });
  closing.push(() => raw.disconnect());
  return { client, address: one.address, raw };
}

/** Records of workflows in a Redis. */
async function records(raw: Redis, namespace: string): Promise<number> {
  let count = 0;
  for (const key of await raw.keys(`${namespace}:*:w:*`)) count += await raw.hlen(key);
  return count;
}

describe('a given Redis', () => {
  test.each([
    ['t2', 'appendfsync everysec: set appendfsync to always'],
    ['t3', 'min-replicas-to-write 0: set min-replicas-to-write to 1 or more'],
  ] as const)('is refused for %s when it keeps less, with what to do', async (durability, sentence) => {
    const refused = startCoordinator(plain().url, { durability });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(sentence);
  });

  test('that does not tell is warned of, not refused', async () => {
    const raw = new Redis({ host: '127.0.0.1', port: plain().port });
    closing.push(() => raw.disconnect());
    await raw.call('ACL', 'SETUSER', 'shy', 'on', '>pw', '~*', '&*', '+@all', '-config');
    const target = `redis://shy:pw@127.0.0.1:${plain().port}`;
    const connection = await connectRedis({ target, name: 'test' });
    closing.push(() => closeRedis(connection));
    const { refusals, warnings } = await checkRedis(connection, 't2');
    expect(refusals).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('does not tell its appendfsync')]);
  });

  test('with all of it is taken, without any finding', async () => {
    const connection = await connectRedis({ target: master.url, name: 'test' });
    closing.push(() => closeRedis(connection));
    expect(await checkRedis(connection, 't3')).toEqual({ refusals: [], warnings: [] });
  });
});

test('a private Redis is started for t2, and t3 is refused with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-t2-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const config = {
    listen: { port: 0 },
    redis: { embedded: { folder } },
    dataDir: folder,
    log: createLogger({ component: 'coordinator', level: 'silent' }),
  };
  const coordinator = createCoordinator({ ...config, durability: 't2' });
  closing.push(() => coordinator.stop());
  await coordinator.start();
  const raw = new Redis({ path: join(folder, 'redis.sock') });
  closing.push(() => raw.disconnect());
  expect(JSON.stringify(await raw.config('GET', 'appendfsync'))).toContain('"always"');
  expect(() => createCoordinator({ ...config, durability: 't3' })).toThrow('needs a Redis with a replica');
});

describe('with t3', () => {
  test('what is acknowledged stands on the replica already', async () => {
    const { client, address } = await start('there');
    const copy = new Redis({ host: '127.0.0.1', port: replica.port });
    closing.push(() => copy.disconnect());
    for (let i = 1; i <= 20; i++) {
      await client.submit({ allowUnknownTypes: true, steps: [{ type: 'echo', input: { i } }] });
      // Head (or solo record) and plan.
      expect(await records(copy, 'there')).toBe(2 * i);
    }
    const agent = new RawAgent({ address, types: ['echo'], answer: () => ({ output: 1 }) });
    closing.push(() => agent.close());
    await until('every completion to be acknowledged', () => agent.acks.length === 20);
    expect(agent.acks.filter(({ refused }) => refused !== '')).toEqual([]);
  });

  test('a submit is not acknowledged while the replica is stopped, and is, once, when it is back', async () => {
    const { client, raw } = await start('stopped');
    await client.submit({ allowUnknownTypes: true, steps: [{ type: 'echo', input: {} }] });
    replica.freeze();
    let isAcknowledged = false;
    const submit = client
      .submit(
        { name: 'held', allowUnknownTypes: true, steps: [{ type: 'echo', input: {} }] },
        { timeoutMs: 50_000 },
      )
      .then((submitted) => {
        isAcknowledged = true;
        return submitted;
      });
    try {
      await until('the master to have it', async () => (await records(raw, 'stopped')) === 4);
      await expect(
        client.submit(
          { name: 'refused', allowUnknownTypes: true, steps: [{ type: 'echo', input: {} }] },
          { timeoutMs: 7000 },
        ),
      ).rejects.toMatchObject({ reason: expect.stringMatching(/STORE_UNAVAILABLE|DEADLINE/) as string });
      expect(isAcknowledged).toBe(false);
    } finally {
      replica.thaw();
    }
    const { workflow } = await submit;
    const found: string[] = [];
    for await (const { id } of client.list({ filter: 'name=held' })) found.push(id);
    expect(found).toEqual([workflow.id]);
  });

  test('a completion is not acknowledged while the replica is stopped, and is, once, when it is back', async () => {
    const { client, address } = await start('result');
    let answer: () => void = () => undefined;
    const agent = new RawAgent({
      address,
      types: ['echo'],
      answer: async () => {
        await new Promise<void>((resolve) => (answer = resolve));
        return { output: 'kept' };
      },
    });
    closing.push(() => agent.close());
    await agent.welcomed;
    const { workflow } = await client.submit({ steps: [{ type: 'echo', input: {} }] });
    await until('the offer', () => agent.offers.length === 1);
    replica.freeze();
    try {
      answer();
      await until('the master to know the end', async () => {
        const { status } = await client.get(workflow.id);
        return status === 'succeeded';
      });
      expect(agent.acks).toEqual([]);
    } finally {
      replica.thaw();
    }
    await until('the acknowledgement', () => agent.acks.length === 1);
    expect(agent.acks[0]).toMatchObject({ refused: '' });
    const types: string[] = [];
    for await (const { type } of client.watch(workflow.id)) types.push(type);
    expect(types.filter((type) => type === 'job.succeeded' || type === 'workflow.succeeded')).toHaveLength(2);
  });
});
