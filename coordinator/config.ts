/**
 * What a coordinator is told, with every default.
 */
import type { Logger } from '../runtime/log.ts';
import type { Durability } from '../runtime/redis/durability.ts';
import { DEFAULT_GRPC_PORT } from '../sdk/common/defaults.ts';
import type { RateLimit } from './agents/rates.ts';
import type { TenantConfig } from './tenants.ts';
import type { CoordinatorTimes } from './times.ts';

export interface CoordinatorConfig {
  /** Default 127.0.0.1:7400; port 0 = a free one. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** Where metrics and checks are served over HTTP; default nowhere. Port 0 = a free one. */
  readonly http?: { readonly host: string; readonly port: number };
  /** A Redis address (see `runtime/redis/target.ts`), or a private server in this folder. */
  readonly redis: { readonly url: string } | { readonly embedded: { readonly folder: string } };
  /** Artifacts are kept below it. Coordinators of one key space share it. */
  readonly dataDir: string;
  /** Callers must present one of these tokens; none = loopback only. */
  readonly tokens?: readonly string[];
  /** Who shares the fleet; default everybody is one tenant. */
  readonly tenants?: readonly TenantConfig[];
  /** How many jobs of a step type may be claimed; default any number. */
  readonly rates?: ReadonlyMap<string, RateLimit>;
  /** First part of every Redis key; default "dibs". */
  readonly namespace?: string;
  /** Cells of a new key space; 0 = by the number of masters. */
  readonly cells?: number;
  /** Defaults and what must hold between them: `times.ts`. */
  readonly times?: Partial<CoordinatorTimes>;
  /** What an acknowledgement survives; default t1. */
  readonly durability?: Durability;
  /** How many replicas must have a write with t3; default 1. */
  readonly replicas?: number;
  /** How long one write waits for them, milliseconds; default 1,000. */
  readonly replicaWaitMs?: number;
  readonly log: Logger;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export function listenAddress(config: CoordinatorConfig): ListenAddress {
  return { host: config.listen?.host ?? '127.0.0.1', port: config.listen?.port ?? DEFAULT_GRPC_PORT };
}
