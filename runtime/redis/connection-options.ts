/**
 * The ioredis options that never apply a command twice.
 *
 * ioredis' defaults send a command again when its reply is lost; an INCR was counted twice that way, and Cluster
 * re-sends too. Invariants: a command is written to at most one socket at most once (a redirection, which Redis did not
 * execute, aside); it settles within commandTimeoutMs, and a
 * connection that answers nothing for longer is replaced; while there is no connection it fails at once. Repeating it is
 * for callers, whose scripts are idempotent. Connections of the chores (`patient`) are the exception.
 */
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisTarget } from './target.ts';

/** A script takes about 1 ms; this leaves room for a fork or a slow fsync, not for a hung machine. */
export const COMMAND_TIMEOUT_MS = 5_000;
export const CONNECT_TIMEOUT_MS = 5_000;

/** Without `replyMapping`, whose declaration does not fit exactOptionalPropertyTypes. */
export type ServerOptions = Omit<RedisOptions, 'replyMapping'>;

export interface ConnectionSettings {
  /** Shown by CLIENT LIST, for example `coordinator:commands`. */
  readonly name: string;
  readonly commandTimeoutMs?: number;
  /**
   * For BullMQ, which demands it: commands wait for their connection and may be sent again, blocking ones take as long
   * as they say. Nothing whose repetition matters may go over such a connection.
   */
  readonly patient?: boolean;
}

/** A patient connection that is owed an answer for so long is ended; BullMQ blocks for at most 10 s. */
const PATIENT_SILENCE_MS = 30_000;

/** Reconnects for ever: 50 ms doubling to 2 s, each ± 25 % so that coordinators do not come back in step. */
export function reconnectDelayMs(attempt: number, random: () => number = Math.random): number {
  return Math.round(Math.min(50 * 2 ** Math.min(attempt - 1, 10), 2_000) * (0.75 + random() / 2));
}

/** What every connection to one server has in common, whether it stands alone or belongs to a Cluster. */
export function serverOptions(target: RedisTarget, settings: ConnectionSettings): ServerOptions {
  const { commandTimeoutMs = COMMAND_TIMEOUT_MS } = settings;
  return {
    connectionName: `dibs:${settings.name}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    ...(settings.patient === true
      ? {
          maxRetriesPerRequest: null,
          enableOfflineQueue: true,
          // Without it a command whose connection ended would never settle.
          autoResendUnfulfilledCommands: true,
          socketTimeout: PATIENT_SILENCE_MS,
        }
      : {
          commandTimeout: commandTimeoutMs,
          // Over a connection whose peer is frozen or gone without a word: another one may lead to another server.
          socketTimeout: commandTimeoutMs + 1_000,
          maxRetriesPerRequest: 0,
          enableOfflineQueue: false,
          autoResendUnfulfilledCommands: false,
        }),
    // Our subscriber restores subscriptions itself and says so; ioredis leaves the promises of its own unhandled.
    autoResubscribe: false,
    enableAutoPipelining: false,
    // Loading a large append-only file takes minutes; `ready` waits for it.
    maxLoadingRetryTime: 2_000,
    lazyConnect: true,
    retryStrategy: (attempt: number) => reconnectDelayMs(attempt),
    // A master that became a replica: its address, or Sentinel, leads to the new one. The command fails and is not sent again.
    reconnectOnError: (error) => /^(READONLY|MASTERDOWN)/.test(error.message),
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
  };
}

/** Asks Sentinel anew at most this often for want of replicas, milliseconds. */
const DEPOSED_PAUSE_MS = 1_000;

/**
 * A master that came back after its replicas had left it for another says NOREPLICAS for ten seconds, until Sentinel makes it
 * a replica. (ioredis' own `failoverDetector` ends a connection for good that was just being opened when word came: 6.0.0.)
 */
function deposed(): (error: Error) => boolean {
  let askedAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!/^(READONLY|MASTERDOWN|NOREPLICAS)/.test(error.message)) return false;
    const now = performance.now();
    if (error.message.startsWith('NOREPLICAS') && now - askedAt < DEPOSED_PAUSE_MS) return false;
    askedAt = now;
    return true;
  };
}

/** Where a connection goes that is not part of a Cluster. */
export function placeOptions(target: Exclude<RedisTarget, { kind: 'cluster' }>): ServerOptions {
  if (target.kind === 'sentinel') {
    return {
      sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
      name: target.master,
      db: target.db,
      reconnectOnError: deposed(),
      ...(target.tls ? { enableTLSForSentinelMode: true } : {}),
    };
  }
  return { ...target.address, db: target.db };
}

export function clusterOptions(
  target: RedisTarget,
  settings: ConnectionSettings,
): Omit<ClusterOptions, 'redisOptions'> & { redisOptions: ServerOptions } {
  const {
    retryStrategy: _retry,
    enableOfflineQueue: _queue,
    lazyConnect: _lazy,
    ...redisOptions
  } = serverOptions(target, settings);
  return {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: settings.patient === true,
    enableAutoPipelining: false,
    // 0 = a command whose connection closed, or that met CLUSTERDOWN, is never sent again.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: (attempt) => reconnectDelayMs(attempt),
    slotsRefreshTimeout: 2_000,
    // Nodes keep the port their certificate and firewall know; a name must not be replaced by its address for TLS.
    ...(target.tls ? { dnsLookup: (host, callback) => callback(null, host) } : {}),
  };
}
