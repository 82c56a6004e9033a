/**
 * A real Redis Cluster of three masters on free loopback ports, for tests and benches.
 *
 * Invariants: when `startRedisCluster` resolves, every node reports cluster_state:ok and knows all three; `moveSlot`
 * follows the order of redis-cli's resharding, so clients see ASK and MOVED as they would in production.
 */
import { Redis } from 'ioredis';
import { freePort } from '../../runtime/free-port.ts';
import { startRedis } from './redis-server.ts';
import type { TestRedis } from './redis-server.ts';
import { until } from './until.ts';

export interface TestCluster {
  /** What REDIS_URL would say: all three addresses. */
  readonly url: string;
  readonly nodes: readonly TestRedis[];
  /** Empties all nodes, and forgets their scripts. */
  flush(): Promise<void>;
  /** Node that serves a key's slot (CLUSTER KEYSLOT). */
  ownerOf(key: string): Promise<TestRedis>;
  /** Moves the slot of `key`, its keys included, to `to`. */
  moveSlot(key: string, to: TestRedis): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16384;
const SIZE = 3;
const ATTEMPTS = 5;

export async function startRedisCluster(): Promise<TestCluster> {
  const nodes = await startNodes();
  try {
    await join(nodes);
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop()));
    throw error;
  }
  return {
    url: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
    nodes,
    flush: async () => void (await Promise.all(nodes.map((node) => node.flush()))),
    ownerOf: (key) => ownerOf(nodes, key),
    moveSlot: (key, to) => moveSlot(nodes, key, to),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}

/** A port that was free may be taken by the time it is used, by another node too: then all are started anew. */
async function startNodes(): Promise<TestRedis[]> {
  for (let attempt = 1; ; attempt++) {
    const started = await Promise.allSettled(Array.from({ length: SIZE }, () => startNode()));
    const failed = started.find((one) => one.status === 'rejected');
    const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (failed === undefined) return nodes;
    await Promise.all(nodes.map((node) => node.stop()));
    if (attempt === ATTEMPTS) throw failed.reason;
  }
}

async function startNode(): Promise<TestRedis> {
  // The bus would use port + 10000, which may lie beyond 65535.
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-port': String(await freePort()),
    'cluster-node-timeout': '2000',
    'cluster-require-full-coverage': 'no',
  };
  return startRedis({ durable: true, settings });
}

async function join(nodes: readonly TestRedis[]): Promise<void> {
  await each(nodes, async (client, index) => {
    const first = Math.floor((SLOTS / SIZE) * index);
    const last = Math.floor((SLOTS / SIZE) * (index + 1)) - 1;
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
  });
  await each(nodes, async (client) => {
    for (const other of nodes) {
      const bus = await on(other, (peer) => peer.config('GET', 'cluster-port'));
      await client.call('CLUSTER', 'MEET', other.host, other.port, bus[1] ?? '0');
    }
  });
  await each(nodes, (client) =>
    until('the cluster to be whole', async () => {
      const info = String(await client.call('CLUSTER', 'INFO'));
      return (
        /cluster_state:ok/.test(info) &&
        info.includes(`cluster_slots_ok:${SLOTS}`) &&
        info.includes(`cluster_known_nodes:${SIZE}`)
      );
    }),
  );
}

async function ownerOf(nodes: readonly TestRedis[], key: string): Promise<TestRedis> {
  const any = nodes[0] as TestRedis;
  const slot = await on(any, (client) => client.cluster('KEYSLOT', key));
  const ranges = await on(any, (client) => client.cluster('SLOTS'));
  const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2]?.[1];
  const owner = nodes.find((node) => node.port === port);
  if (owner === undefined) throw new Error(`No node of the test cluster serves slot ${slot}.`);
  return owner;
}

async function moveSlot(nodes: readonly TestRedis[], key: string, to: TestRedis): Promise<void> {
  const from = await ownerOf(nodes, key);
  if (from === to) return;
  const slot = await on(from, (client) => client.cluster('KEYSLOT', key));
  const [fromId, toId] = await Promise.all(
    [from, to].map((node) => on(node, (client) => client.cluster('MYID'))),
  );
  await on(to, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(fromId)));
  await on(from, async (client) => {
    await client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(toId));
    for (;;) {
      const keys = (await client.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length === 0) break;
      await client.call('MIGRATE', to.host, to.port, '', 0, 5_000, 'KEYS', ...keys);
    }
  });
  for (const node of [to, from, ...nodes]) {
    await on(node, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(toId)));
  }
}

async function each(
  nodes: readonly TestRedis[],
  use: (client: Redis, index: number) => Promise<unknown>,
): Promise<void> {
  await Promise.all(nodes.map((node, index) => on(node, (client) => use(client, index))));
}

async function on<T>(node: TestRedis, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ host: node.host, port: node.port, lazyConnect: true });
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}
