/** Every script on one Redis. */
import { afterAll, beforeAll, describe } from 'vitest';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedis } from '../../support/redis.ts';
import { claimCases } from './cases/claim.ts';
import { decideCases } from './cases/decide.ts';
import { factCases } from './cases/facts.ts';
import { logCases } from './cases/log.ts';
import { parkCases } from './cases/park.ts';
import { submitCases } from './cases/submit.ts';
import { dueCases, sweepCases } from './cases/timers.ts';
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

describe('submit', () => submitCases(world));
describe('claim', () => claimCases(world));
describe('facts', () => factCases(world));
describe('decide', () => decideCases(world));
describe('due', () => dueCases(world));
describe('sweep', () => sweepCases(world));
describe('log', () => logCases(world));
describe('park', () => parkCases(world));
