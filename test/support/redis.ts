/**
 * A private Redis, or a Cluster, for one test file: started before its tests, stopped after them.
 *
 * At the top of a file: `const redis = useRedis();` then `redis().url` inside tests and hooks.
 */
import { afterAll, beforeAll } from 'vitest';
import './leaks.ts';
import { startRedisCluster } from './redis-cluster.ts';
import type { TestCluster } from './redis-cluster.ts';
import { startRedis } from './redis-server.ts';
import type { TestRedis, TestRedisOptions } from './redis-server.ts';

export type { TestCluster } from './redis-cluster.ts';
export type { TestRedis, TestRedisOptions } from './redis-server.ts';

export function useRedis(options: TestRedisOptions = {}): () => TestRedis {
  return useServer(() => startRedis(options));
}

export function useRedisCluster(): () => TestCluster {
  return useServer(startRedisCluster);
}

function useServer<T extends { stop(): Promise<void> }>(start: () => Promise<T>): () => T {
  let server: T | undefined;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => server?.stop());
  return () => {
    if (server === undefined) throw new Error('Redis runs only inside tests and hooks of this file.');
    return server;
  };
}
