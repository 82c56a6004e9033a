/**
 * Whether a Redis that somebody else runs keeps the promises Dibs builds on: asked at the start, and of each new master.
 *
 * `refusals` are reasons not to start (work would be lost or scripts would not run), `warnings` are weaker promises than
 * people may think they have, or what could not be found out. Each sentence says what to do.
 */
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import type { RedisConnection } from './connect.ts';
import { demandsOf } from './durability.ts';
import type { Durability } from './durability.ts';

export interface RedisFindings {
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

export async function checkRedis(
  connection: RedisConnection,
  durability: Durability = 't1',
  replicas = 1,
): Promise<RedisFindings> {
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  const found = await Promise.all(nodes.map((node) => checkNode(node, durability, replicas)));
  return {
    refusals: [...new Set(found.flatMap(({ refusals }) => refusals))],
    warnings: [...new Set(found.flatMap(({ warnings }) => warnings))],
  };
}

async function checkNode(node: Redis, durability: Durability, replicas: number): Promise<RedisFindings> {
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
  if (info.get('aof_enabled') !== '1' && durability === 't1') {
    warnings.push(
      'Redis keeps no append-only file, so its crash loses accepted workflows: set appendonly to yes.',
    );
  }
  for (const { setting: name, isMet, remedy } of demandsOf(durability, replicas)) {
    const value = name === 'appendonly' ? aofOf(info) : await settingOf(node, name);
    if (value === undefined)
      warnings.push(
        `Redis does not tell its ${name}, which durability ${durability} builds on: make sure of it (${remedy}).`,
      );
    else if (!isMet(value))
      refusals.push(`Durability ${durability} does not hold with ${name} ${value}: ${remedy}.`);
  }
  const connected = Number(info.get('connected_slaves') ?? 0);
  if (durability === 't3' && connected < replicas) {
    warnings.push(
      `${connected} of ${replicas} replicas are connected to Redis: with durability t3 nothing is acknowledged until all are.`,
    );
  }
  return { refusals, warnings };
}

/** INFO says it even where CONFIG is forbidden. */
function aofOf(info: ReadonlyMap<string, string>): string {
  return info.get('aof_enabled') === '1' ? 'yes' : 'no';
}

/** Undefined where the server does not tell (managed ones forbid CONFIG). */
async function settingOf(node: Redis, name: string): Promise<string | undefined> {
  const answer: unknown = await node.call('CONFIG', 'GET', name).catch(() => undefined);
  const value: unknown = Array.isArray(answer)
    ? answer[1]
    : (answer as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  return typeof value === 'string' ? value : undefined;
}

function readInfo(text: string): Map<string, string> {
  const entries = text.split('\n').filter((line) => line.includes(':'));
  return new Map(
    entries.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}
