/**
 * What a coordinator is told, with every default.
 */
import type { Logger } from '../runtime/log.ts';
import { DEFAULT_GRPC_PORT } from '../sdk/common/defaults.ts';

export interface CoordinatorTimes {
  /** Agents send a heartbeat this often, milliseconds; default 30,000. */
  readonly heartbeatMs: number;
  /** A held job without a sign of life for this long is stalled, milliseconds; default 120,000. */
  readonly leaseMs: number;
  /** An offer not accepted within this time goes back, milliseconds; default 15,000. */
  readonly offerMs: number;
  /** Pause of the stall sweep, milliseconds; default 60,000. */
  readonly sweepMs: number;
  /** Pause of the due loop, milliseconds; default 1,000. */
  readonly dueMs: number;
  /** Pause of the poll that covers lost wake-ups, milliseconds; default 1,000. */
  readonly pollMs: number;
  /** Recoveries of a stalled job before it fails; default 3. */
  readonly maxRecoveries: number;
}

export const DEFAULT_TIMES: CoordinatorTimes = {
  heartbeatMs: 30_000,
  leaseMs: 120_000,
  offerMs: 15_000,
  sweepMs: 60_000,
  dueMs: 1000,
  pollMs: 1000,
  maxRecoveries: 3,
};

export interface CoordinatorConfig {
  /** Default 127.0.0.1:7400; port 0 = a free one. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** A Redis address (see `runtime/redis/target.ts`), or a private server in this folder. */
  readonly redis: { readonly url: string } | { readonly embedded: { readonly folder: string } };
  /** Artifacts are kept below it. Coordinators of one key space share it. */
  readonly dataDir: string;
  /** Callers must present one of these tokens; none = loopback only. */
  readonly tokens?: readonly string[];
  /** First part of every Redis key; default "dibs". */
  readonly namespace?: string;
  /** Cells of a new key space; 0 = by the number of masters. */
  readonly cells?: number;
  readonly times?: Partial<CoordinatorTimes>;
  readonly log: Logger;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export function listenAddress(config: CoordinatorConfig): ListenAddress {
  return { host: config.listen?.host ?? '127.0.0.1', port: config.listen?.port ?? DEFAULT_GRPC_PORT };
}
