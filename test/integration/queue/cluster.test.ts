/** Every script, and the big race, on a real Cluster of three. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import { cellTag, slotOf } from '../../../coordinator/queue/slots.ts';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { State } from '../../../sdk/common/states.ts';
import { useRedisCluster } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { claimCases } from './cases/claim.ts';
import { decideCases } from './cases/decide.ts';
import { factCases } from './cases/facts.ts';
import { logCases } from './cases/log.ts';
import { parkCases } from './cases/park.ts';
import { requeueCases } from './cases/requeue.ts';
import { runCases } from './cases/runs.ts';
import { soloCases } from './cases/solo.ts';
import { submitCases } from './cases/submit.ts';
import { dueCases, sweepCases } from './cases/timers.ts';
import { change, flow, success } from './changes.ts';
import { race } from './race.ts';
import { World, ask } from './world.ts';
import type { Granted } from './world.ts';

const cluster = useRedisCluster();
let connections: RedisConnection[];
let scripts: ScriptRunner;
beforeAll(async () => {
  connections = await Promise.all(
    ['left', 'right'].map((name) => connectRedis({ target: cluster().url, name })),
  );
  scripts = new ScriptRunner(connections[0] as RedisConnection);
});
afterAll(() => Promise.all(connections.map((connection) => closeRedis(connection))));

const world = (): World => new World(connections[0] as RedisConnection, scripts, cluster().url);

describe('submit', () => void submitCases(world));
describe('claim', () => void claimCases(world));
describe('facts', () => void factCases(world));
describe('decide', () => void decideCases(world));
describe('due', () => void dueCases(world));
describe('sweep', () => void sweepCases(world));
describe('log', () => void logCases(world));
describe('park', () => void parkCases(world));
describe('requeue', () => void requeueCases(world));
describe('solo', () => void soloCases(world));
describe('runs', () => void runCases(world));

test('slots are counted as the Cluster counts them', async () => {
  const tags = [
    'a',
    '123456789',
    'c0.1',
    'ü',
    'x'.repeat(300),
    ...Array.from({ length: 20 }, (_, i) => cellTag(i, 20)),
  ];
  for (const tag of tags) {
    expect(await (connections[0] as RedisConnection).cluster('KEYSLOT', tag), `slot of ${tag}`).toBe(
      slotOf(tag),
    );
  }
});

test('10,000 jobs in six cells, fifty claimers: each is won once', async () => {
  const cells = await openCells(connections[0] as RedisConnection, {
    namespace: 'race',
    count: 0,
    masters: 3,
  });
  expect(cells).toHaveLength(6);
  const owners = await Promise.all(cells.map((cell) => cluster().ownerOf(keys.meta(cell))));
  // Two cells a node.
  for (const node of cluster().nodes) expect(owners.filter(({ port }) => port === node.port)).toHaveLength(2);
  expect(await race({ connections, cells, inTurn: false })).toBe(10_000);
});

test('while its slot moves, a cell refuses every call before anything is changed; then it goes on', async () => {
  const w = world();
  await w.submit(flow(w.wid('a'), { jobs: 3 }));
  const [held] = (await w.hold('agent', 2, 'q')) as [Granted];
  const slot = slotOf('c0.0');
  const source = await cluster().ownerOf(keys.meta(w.cell));
  const target = cluster().nodes.find((node) => node !== source) as TestRedis;
  const nodes = [source, target].map(({ host, port }) => new Redis({ host, port }));
  const [from, to] = nodes as [Redis, Redis];
  /** Every key of the cell with its content, wherever it is. */
  const contents = async (): Promise<Map<string, string[]>> => {
    const found = new Map<string, string[]>();
    for (const node of nodes) {
      const asked = async <T>(...command: [string, ...string[]]): Promise<T> => {
        await node.call('ASKING');
        return node.call(...command) as Promise<T>;
      };
      for (const key of (await node.call('CLUSTER', 'GETKEYSINSLOT', slot, 10_000)) as string[]) {
        if (!key.startsWith(w.cell.prefix)) continue;
        const kind = await asked<string>('TYPE', key);
        if (kind === 'hash') found.set(key, (await asked<string[]>('HGETALL', key)).sort());
        else if (kind === 'zset')
          found.set(key, await asked<string[]>('ZRANGE', key, '0', '-1', 'WITHSCORES'));
        else found.set(key, await asked<string[]>('LRANGE', key, '0', '-1'));
      }
    }
    return found;
  };
  const calls: (() => Promise<unknown>)[] = [
    () => w.submit(flow(w.wid('b'), { queue: 'other' })),
    () => w.claim([ask('agent', 5, 'q', 'other')]),
    () => w.accept([held.ref, held.token, 0, 1000]),
    () => w.progress([held.ref, held.token, 0.5, '']),
    () => w.complete(success(held)),
    () => w.release([held.ref, held.token, 'BUSY']),
    () => w.emit([held.ref, held.token, 1, ['1']]),
    () => w.decide([w.wid('a'), 1, 0, change(), []]),
    () => w.control(w.wid('a')),
    () => w.due(),
    () => w.sweep(),
    () => w.log(w.wid('a'), 0, 10, 'c1'),
    () => w.unpark('x'),
  ];
  try {
    const [fromId, toId] = await Promise.all(
      nodes.map((node) => node.call('CLUSTER', 'MYID') as Promise<string>),
    );
    await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId as string);
    await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId as string);
    const before = await contents();
    // The order in which keys move is not ours to choose: bad ones are records before the rest, and the meta key first.
    const moves = [[], [keys.bucket(w.cell, w.wid('a'))], [keys.meta(w.cell)], [keys.queue(w.cell, 'q')]];
    for (const names of moves) {
      if (names.length > 0)
        await from.call('MIGRATE', target.host, target.port, '', 0, 5000, 'KEYS', ...names);
      for (const call of calls) await expect(call()).rejects.toThrow('non local key');
      expect(await contents()).toEqual(before);
    }
    const rest = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 10_000)) as string[];
    await from.call('MIGRATE', target.host, target.port, '', 0, 5000, 'KEYS', ...rest);
    for (const node of [to, from]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId as string);
    expect((await w.complete(success(held)))[0]).toEqual([['ok', 0, 0, State.processing]]);
    expect(await w.submit(flow(w.wid('b'), { queue: 'other' }))).toEqual([['created', 3]]);
  } finally {
    for (const node of nodes) node.disconnect();
  }
});
