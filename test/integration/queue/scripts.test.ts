/** Every script on one Redis. */
import { afterAll, beforeAll, describe } from 'vitest';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedis } from '../../support/redis.ts';
import { claimCases } from './cases/claim.ts';
import { factCases } from './cases/facts.ts';
import { submitCases } from './cases/submit.ts';
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
