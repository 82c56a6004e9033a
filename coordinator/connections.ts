/**
 * A coordinator's ways to Redis: a private server where none was given, the connection of the scripts, the one of those that
 * wait for a replica, the subscriber. The chores have their own.
 *
 * Invariants: nothing is opened to a Redis that does not keep what the configuration promises; what was opened is handed to
 * `onOpened` at once, newest last, so that it can be closed whatever fails later.
 */
import type { Cluster, Redis } from 'ioredis';
import { ConfigError } from '../runtime/config-error.ts';
import { checkRedis } from '../runtime/redis/check.ts';
import { closeRedis, connectRedis } from '../runtime/redis/connect.ts';
import { COMMAND_TIMEOUT_MS } from '../runtime/redis/connection-options.ts';
import { durabilitySettings } from '../runtime/redis/durability.ts';
import { patiently } from '../runtime/redis/patience.ts';
import { startEmbeddedRedis } from '../runtime/redis/embedded.ts';
import { connectSubscriber } from '../runtime/redis/subscriber.ts';
import type { Subscriber } from '../runtime/redis/subscriber.ts';
import { parseRedisTarget } from '../runtime/redis/target.ts';
import type { RedisTarget } from '../runtime/redis/target.ts';
import type { CoordinatorConfig } from './config.ts';
import { sendReplicated } from './queue/replicated.ts';
import type { Send } from './queue/scripts.ts';

export interface Connections {
  readonly target: RedisTarget;
  readonly redis: Redis | Cluster;
  /** For calls whose answer somebody relies on, with durability t3. */
  readonly answering: Send | undefined;
  readonly subscriber: Subscriber;
  /** Masters of a Cluster; 1 elsewhere. */
  readonly masters: number;
}

/** How long one write waits for a replica, milliseconds. */
const REPLICA_WAIT_MS = 1000;

/** Throws a ConfigError for a combination that cannot work. */
export function checkDurability({ durability, redis }: CoordinatorConfig): void {
  if (durability === 't3' && 'embedded' in redis) {
    throw new ConfigError([
      'Durability t3 needs a Redis with a replica: give its address with --redis-url. A private Redis has none.',
    ]);
  }
}

/** How often what Redis keeps is looked at again, milliseconds. */
const RECHECK_MS = 60_000;

export async function openConnections(
  config: CoordinatorConfig,
  onOpened: (close: () => Promise<void>) => void,
): Promise<Connections> {
  const { log, durability = 't1', replicas = 1, replicaWaitMs = REPLICA_WAIT_MS } = config;
  const target = await targetOf(config, onOpened);
  const onError = (error: Error): void => log.warn({ err: { message: error.message } }, 'Redis connection');
  const redis = await connectRedis({ target, name: 'dibs-coordinator', onError });
  onOpened(() => closeRedis(redis));
  const { refusals, warnings } = await patiently(() => checkRedis(redis, durability, replicas));
  if (refusals.length > 0) throw new ConfigError(refusals);
  for (const warning of warnings) log.warn(warning);
  const look = (): void => {
    checkRedis(redis, durability, replicas).then((found) => {
      for (const problem of found.refusals) log.error(problem);
      for (const problem of found.warnings) log.warn(problem);
    }, onError);
  };
  // After a failover another server stands behind the address; a node that a cluster promotes is not even reconnected to.
  redis.on('ready', look);
  const timer = setInterval(look, RECHECK_MS).unref();
  onOpened(() => Promise.resolve(clearInterval(timer)));
  let answering: Send | undefined;
  if (durability === 't3') {
    const commandTimeoutMs = COMMAND_TIMEOUT_MS + replicaWaitMs;
    const waiting = await connectRedis({ target, name: 'dibs-replicated', commandTimeoutMs, onError });
    onOpened(() => closeRedis(waiting));
    answering = sendReplicated(waiting, { replicas, waitMs: replicaWaitMs });
  }
  const subscriber = await patiently(() => connectSubscriber({ target, name: 'dibs-coordinator', onError }));
  onOpened(() => subscriber.close());
  const masters = 'nodes' in redis ? redis.nodes('master').length : 1;
  return { target, redis, answering, subscriber, masters };
}

async function targetOf(
  { redis, durability = 't1', log }: CoordinatorConfig,
  onOpened: (close: () => Promise<void>) => void,
): Promise<RedisTarget> {
  if ('url' in redis) return parseRedisTarget(redis.url);
  const { folder } = redis.embedded;
  const embedded = await startEmbeddedRedis({ folder, settings: durabilitySettings(durability) });
  onOpened(() => embedded.stop());
  log.info({ pid: embedded.pid, version: embedded.version }, 'started a private Redis');
  return embedded.target;
}
