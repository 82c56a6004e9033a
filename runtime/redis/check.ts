/**
 * Whether a Redis that somebody else runs keeps the promises Dibs builds on: asked once, at the start.
 *
 * `refusals` are reasons not to start (work would be lost or scripts would not run), `warnings` are weaker promises than
 * people may think they have. Each sentence says what to do.
 */
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import type { RedisConnection } from './connect.ts';

export interface RedisFindings {
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

export async function checkRedis(connection: RedisConnection): Promise<RedisFindings> {
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  const found = await Promise.all(nodes.map((node) => checkNode(node)));
  return {
    refusals: [...new Set(found.flatMap(({ refusals }) => refusals))],
    warnings: [...new Set(found.flatMap(({ warnings }) => warnings))],
  };
}

async function checkNode(node: Redis): Promise<RedisFindings> {
  const info = readInfo(await node.info());
  const refusals: string[] = [];
  const warnings: string[] = [];
  const version = info.get('redis_version') ?? '0';
  if (Number(version.split('.')[0]) < 7)
    refusals.push(`Redis is version ${version}; Dibs needs 7.0 or newer.`);
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction') {
    const sentence = `Redis would evict keys when its memory is full (maxmemory-policy ${policy}), and with them queued work: set it to noeviction.`;
    // Without a limit nothing is evicted today; the day somebody sets one, everything may be.
    (info.get('maxmemory') === '0' ? warnings : refusals).push(sentence);
  }
  if (info.get('role') === 'slave')
    refusals.push('This Redis is a read-only replica: give the address of its master, or of Sentinel.');
  if (info.get('aof_enabled') !== '1') {
    warnings.push(
      'Redis keeps no append-only file, so its crash loses accepted workflows: set appendonly to yes.',
    );
  }
  return { refusals, warnings };
}

function readInfo(text: string): Map<string, string> {
  const entries = text.split('\n').filter((line) => line.includes(':'));
  return new Map(
    entries.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}
