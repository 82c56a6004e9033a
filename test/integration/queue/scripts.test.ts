/** Every script on one Redis. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedis } from '../../support/redis.ts';
import { avoidCases } from './cases/avoid.ts';
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
import { flow } from './changes.ts';
import { World } from './world.ts';

const redis = useRedis();
let connection: RedisConnection;
let scripts: ScriptRunner;
beforeAll(async () => {
  connection = await connectRedis({ target: redis().url, name: 'test' });
  scripts = new ScriptRunner(connection);
});
afterAll(() => closeRedis(connection));

const world = (): World => new World(connection, scripts, redis().url);

describe('submit', () => void submitCases(world));
describe('claim', () => void claimCases(world));
describe('another agent is preferred', () => void avoidCases(world));
describe('facts', () => void factCases(world));
describe('decide', () => void decideCases(world));
describe('due', () => void dueCases(world));
describe('sweep', () => void sweepCases(world));
describe('log', () => void logCases(world));
describe('park', () => void parkCases(world));
describe('solo', () => void soloCases(world));
describe('runs', () => void runCases(world));
describe('requeue', () => void requeueCases(world));

test('a claim reads what it takes, and hardly more, however many classes it may choose from', async () => {
  const w = world();
  const classes = Array.from({ length: 64 }, (_, i) => `q${i}`);
  for (const queue of classes) await w.submit(flow(w.wid(queue), { queue, jobs: 50 }));
  await connection.call('CONFIG', 'RESETSTAT');
  expect(await w.take('agent', 2, ...classes)).toHaveLength(2);
  const stats = await connection.info('commandstats');
  const calls = (command: string): number =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  expect(calls('hmget')).toBeLessThanOrEqual(2);
  expect(calls('hget')).toBeLessThan(10);
});
