/** The scripts against the model, over random walks. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedis } from '../../support/redis.ts';
import { Walk, walks } from './model/walk.ts';
import { World } from './world.ts';

const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connectRedis({ target: redis().url, name: 'test' });
});
afterAll(() => closeRedis(connection));

test('every call, made twice, does what the model does, and never more', async () => {
  const scripts = new ScriptRunner(connection);
  const property = fc.asyncProperty(walks, async (moves) => {
    await connection.flushall();
    await new Walk(new World(connection, scripts, redis().url)).run(moves);
  });
  // DIBS_WALKS=5000 for a long look.
  const numRuns = Number(process.env['DIBS_WALKS'] ?? 40);
  // A failure that shrinks for long is reported as far as it came, not as a test that ran out of time.
  const limit = numRuns > 40 ? {} : { interruptAfterTimeLimit: 45_000, markInterruptAsFailure: true };
  await expect(fc.assert(property, { numRuns, ...limit })).resolves.toBeUndefined();
});
