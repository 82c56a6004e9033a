/**
 * Opens a connection to Redis with the options of connection-options.ts and waits until it takes commands.
 *
 * Invariants: when the promise resolves, every master has been reached, so that the first commands do not meet a
 * connection still opening; a wrong password fails at once, everything else is retried until the deadline; an error
 * event never ends the process.
 */
import { Cluster, Redis } from 'ioredis';
import { clusterOptions, placeOptions, serverOptions } from './connection-options.ts';
import type { ConnectionSettings } from './connection-options.ts';
import { describeTarget, parseRedisTarget } from './target.ts';
import type { RedisTarget } from './target.ts';

export type RedisConnection = Redis | Cluster;

export interface ConnectOptions extends ConnectionSettings {
  /** Where: what REDIS_URL says, or the same as data. */
  readonly target: string | RedisTarget;
  /** How long to wait for Redis at the start, loading included. */
  readonly readyTimeoutMs?: number;
  /** Ends the wait for it. */
  readonly signal?: AbortSignal;
  /** Told of every connection error; ioredis reconnects on its own. */
  readonly onError?: (error: Error) => void;
}

const READY_TIMEOUT_MS = 30_000;
const MASTER_RETRY_MS = 200;
/** Answers that no amount of waiting changes. */
const HOPELESS = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/;

/** Close it with `closeRedis`. */
export async function connectRedis(options: ConnectOptions): Promise<RedisConnection> {
  const target = typeof options.target === 'string' ? parseRedisTarget(options.target) : options.target;
  const connection =
    target.kind === 'cluster'
      ? new Cluster([...target.seeds], clusterOptions(target, options))
      : new Redis({ ...serverOptions(target, options), ...placeOptions(target) });
  connection.on('error', (error: Error) => options.onError?.(error));
  if (connection instanceof Cluster) connection.on('node error', (error: Error) => options.onError?.(error));
  try {
    await untilReady(connection, target, options.readyTimeoutMs ?? READY_TIMEOUT_MS, options.signal);
    return connection;
  } catch (error) {
    connection.disconnect();
    throw error;
  }
}

/** Lets commands under way finish, then closes; closes at once when there is no connection. Idempotent. */
export async function closeRedis(connection: RedisConnection): Promise<void> {
  const { status } = connection;
  if (status === 'end') return;
  const ended = new Promise<void>((resolve) => connection.once('end', resolve));
  if (status === 'ready') await connection.quit().catch(() => connection.disconnect());
  else connection.disconnect();
  // Between two attempts to reconnect there is no socket whose end ioredis would report.
  if (status !== 'reconnecting' && status !== 'close' && status !== 'wait') await ended;
}

function untilReady(
  connection: RedisConnection,
  target: RedisTarget,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let last: Error | undefined;
    const fail = (message: string): void =>
      settle(() => reject(new Error(message, last === undefined ? {} : { cause: last })));
    const timer = setTimeout(() => {
      fail(
        `${describeTarget(target)} was not ready within ${timeoutMs} ms${last === undefined ? '' : `: ${last.message}`}`,
      );
    }, timeoutMs);
    const onError = (error: Error): void => {
      last = (error as Error & { lastNodeError?: Error }).lastNodeError ?? error;
      if (HOPELESS.test(last.message))
        fail(`${describeTarget(target)} refused the credentials: ${last.message}`);
    };
    let retry: NodeJS.Timeout | undefined;
    let settled = false;
    const onAbort = (): void => fail(`No longer waited for ${describeTarget(target)}`);
    const onReady = (): void => {
      reachMasters(connection).then(
        () => settle(resolve),
        (error: unknown) => {
          onError(error as Error);
          if (!settled) retry = setTimeout(onReady, MASTER_RETRY_MS);
        },
      );
    };
    const settle = (then: () => void): void => {
      settled = true;
      clearTimeout(timer);
      clearTimeout(retry);
      signal?.removeEventListener('abort', onAbort);
      connection.off('ready', onReady);
      connection.off('error', onError);
      connection.off('node error', onError);
      then();
    };
    connection.on('ready', onReady);
    connection.on('error', onError);
    connection.on('node error', onError);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) return onAbort();
    // Rejects on the first failure; the reconnection that follows ends in `ready` all the same.
    connection.connect().catch(onError);
  });
}

/** A Cluster is `ready` when one node answered; a command to another one would find it still connecting. */
async function reachMasters(connection: RedisConnection): Promise<void> {
  if (connection instanceof Cluster)
    await Promise.all(connection.nodes('master').map((node) => reached(node)));
}

function reached(node: Redis): Promise<void> {
  if (node.status === 'ready') return Promise.resolve();
  if (node.status === 'wait') return node.connect();
  return new Promise((resolve, reject) => {
    node.once('ready', resolve);
    node.once('end', () => reject(new Error('Connection is closed.')));
  });
}
