/** Every script, and the big race, on a real Cluster of three. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import { cellTag, slotOf } from '../../../coordinator/queue/slots.ts';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedisCluster } from '../../support/redis.ts';
import { claimCases } from './cases/claim.ts';
import { decideCases } from './cases/decide.ts';
import { factCases } from './cases/facts.ts';
import { logCases } from './cases/log.ts';
import { parkCases } from './cases/park.ts';
import { submitCases } from './cases/submit.ts';
import { dueCases, sweepCases } from './cases/timers.ts';
import { race } from './race.ts';
import { World } from './world.ts';

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
