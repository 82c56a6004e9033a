/**
 * A Redis master with replicas, watched by a Sentinel where wanted: for tests of what a failover costs. No test framework in
 * here.
 *
 * Invariants: when it resolves every replica is in step with its master, and Sentinel knows all of them; all keep an
 * append-only file with every write on disk, and a master takes nothing without all of its
 * replicas (durability t3, `replicas` as many). After
 * `killMaster` Sentinel promotes a replica within about two seconds; a node that is started again follows the master.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../runtime/free-port.ts';
import { findServerBinary } from '../../runtime/redis/server-binary.ts';
import { startRedis } from './redis-server.ts';
import type { TestRedis } from './redis-server.ts';
import { until } from './until.ts';

export interface TestReplicas {
  readonly nodes: readonly TestRedis[];
  /** The node that takes writes now. */
  master(): Promise<TestRedis>;
  /** Resolves when every running node but the master follows it and is in step. */
  inStep(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestSentinel extends TestReplicas {
  /** What REDIS_URL would say. */
  readonly url: string;
  /** kill -9 of the master; resolves, when Sentinel has promoted another node, to the old one. */
  killMaster(): Promise<TestRedis>;
  /** SIGSTOP of the master; resolves, when Sentinel has promoted another node, to the old one. */
  freezeMaster(): Promise<TestRedis>;
  /** Starts a killed node again, as a replica, or lets a frozen one go on. */
  bringBack(node: TestRedis): Promise<void>;
}

const SETTINGS = {
  appendfsync: 'always',
  'min-replicas-max-lag': '2',
  'repl-diskless-sync-delay': '0',
  'repl-ping-replica-period': '1',
};
const MASTER_NAME = 'main';
const DOWN_AFTER_MS = 500;
const TIMEOUT_MS = 30_000;

/** One master and `replicas` replicas of it. */
export async function startReplicas(replicas: number): Promise<TestReplicas> {
  const nodes: TestRedis[] = [];
  const down = new Set<TestRedis>();
  const set: TestReplicas = {
    nodes,
    master: () => masterOf(nodes),
    inStep: () => inStep(nodes.filter((node) => !down.has(node))),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
  try {
    const settings = { ...SETTINGS, 'min-replicas-to-write': String(replicas) };
    // One after the other: a port that was free stays free.
    for (let i = 0; i <= replicas; i++) nodes.push(await startRedis({ durable: true, settings }));
    const [master, ...others] = nodes as [TestRedis, ...TestRedis[]];
    for (const node of others) await follow(node, master);
    await set.inStep();
    return set;
  } catch (error) {
    await set.stop();
    throw error;
  }
}

/** After a failover nothing is taken until the old master is back, as a replica. */
export async function startSentinel(replicas = 1): Promise<TestSentinel> {
  const { nodes } = await startReplicas(replicas);
  const down = new Set<TestRedis>();
  const running = (): TestRedis[] => nodes.filter((node) => !down.has(node));
  const folder = await mkdtemp(join(tmpdir(), 'dibs-sentinel-'));
  const port = await freePort();
  const config = join(folder, 'sentinel.conf');
  await writeFile(
    config,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `logfile ${join(folder, 'sentinel.log')}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${nodes[0]?.port} 1`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER_NAME} 3000`,
      `sentinel parallel-syncs ${MASTER_NAME} 2`,
      '',
    ].join('\n'),
  );
  const { path } = await findServerBinary();
  const sentinel = spawn(path, [config, '--sentinel'], { stdio: 'ignore' });
  const ended = once(sentinel, 'close');
  const depose = async (strike: (old: TestRedis) => unknown): Promise<TestRedis> => {
    const old = await masterOf(running());
    down.add(old);
    await strike(old);
    const promoted = async (): Promise<boolean> => {
      const { port: now } = await masterOf(running());
      return on(port, async (client) => {
        const master: unknown = await client.call('SENTINEL', 'MASTER', MASTER_NAME);
        return Number(fieldOf(master, 'port')) === now && fieldOf(master, 'flags') === 'master';
      });
    };
    await until('Sentinel to have promoted a replica', promoted, { timeoutMs: TIMEOUT_MS, everyMs: 20 });
    return old;
  };
  const frozen = new Set<TestRedis>();
  const set: TestSentinel = {
    nodes,
    url: `redis+sentinel://127.0.0.1:${port}/${MASTER_NAME}`,
    master: () => masterOf(running()),
    inStep: () => inStep(running()),
    killMaster: () => depose((old) => old.crash()),
    freezeMaster: () =>
      depose((old) => {
        frozen.add(old);
        old.freeze();
      }),
    bringBack: async (node) => {
      if (frozen.delete(node)) node.thaw();
      else await node.restart();
      // Sentinel would do it, after ten seconds.
      await follow(node, await masterOf(running()));
      down.delete(node);
    },
    stop: async () => {
      sentinel.kill('SIGTERM');
      await ended;
      await Promise.all(nodes.map((node) => node.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await until(
      'Sentinel to know every replica',
      () =>
        on(port, async (client) => {
          const master: unknown = await client.call('SENTINEL', 'MASTER', MASTER_NAME);
          return Number(fieldOf(master, 'num-slaves')) === replicas && fieldOf(master, 'flags') === 'master';
        }),
      { timeoutMs: TIMEOUT_MS, everyMs: 50 },
    );
    return set;
  } catch (error) {
    await set.stop();
    throw error;
  }
}

async function masterOf(nodes: readonly TestRedis[]): Promise<TestRedis> {
  for (const node of nodes) {
    const role = await on(node.port, (client) => client.role()).catch(() => []);
    if (role[0] === 'master') return node;
  }
  throw new Error('No node is a master.');
}

async function follow(node: TestRedis, master: TestRedis): Promise<void> {
  await on(node.port, (client) => client.call('REPLICAOF', '127.0.0.1', master.port));
}

async function inStep(nodes: readonly TestRedis[]): Promise<void> {
  await until(
    'every replica to be in step',
    async () => {
      const master = await masterOf(nodes);
      const info = await on(master.port, (client) => client.info('replication'));
      const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
      const there = [...info.matchAll(/slave\d+:.*state=online,offset=(\d+)/g)];
      return there.length === nodes.length - 1 && there.every(([, at]) => at === offset);
    },
    { timeoutMs: TIMEOUT_MS, everyMs: 20 },
  );
}

/** Of a map, whichever way the protocol version gives it. */
function fieldOf(answer: unknown, name: string): string | undefined {
  if (!Array.isArray(answer)) return (answer as Readonly<Record<string, string>>)[name];
  const at = answer.indexOf(name);
  return at === -1 ? undefined : String(answer[at + 1]);
}

async function on<T>(port: number, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: null,
    commandTimeout: 1000,
  });
  client.on('error', () => undefined);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}
