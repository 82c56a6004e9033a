/**
 * A private Redis for one side. Both sides get one with the very same settings: a unix socket, AOF everysec, noeviction.
 *
 * The append-only file is never rewritten during a run: a rewrite forks and takes a core for seconds, on whichever side
 * it happens to fall.
 */
import { join } from 'node:path';
import { startEmbeddedRedis } from '../../runtime/redis/embedded.ts';
import type { EmbeddedRedis } from '../../runtime/redis/embedded.ts';

export interface BenchRedis extends EmbeddedRedis {
  readonly socketPath: string;
}

export async function startBenchRedis(folder: string): Promise<BenchRedis> {
  const socketPath = join(folder, 'redis.sock');
  const redis = await startEmbeddedRedis({
    folder,
    socketPath,
    settings: { 'auto-aof-rewrite-percentage': '0' },
  });
  if (!redis.url.startsWith('unix:'))
    throw new Error('The path of the temporary folder is too long for a socket.');
  return { ...redis, socketPath };
}
