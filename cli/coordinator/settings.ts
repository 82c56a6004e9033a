/** What a coordinator can be told by flags, environment and files, and the configuration that makes of it. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { parseRate } from '../../coordinator/agents/rates.ts';
import type { RateLimit } from '../../coordinator/agents/rates.ts';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { readTenants } from '../../coordinator/tenants.ts';
import { completeTimes } from '../../coordinator/times.ts';
import { configPaths, readConfigFiles } from '../../runtime/config-file.ts';
import { defineSettings, loadConfig } from '../../runtime/config.ts';
import type { Config } from '../../runtime/config.ts';
import type { Logger } from '../../runtime/log.ts';
import { listenAddress, text, wholeNumber } from '../../runtime/setting-types.ts';
import { DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT } from '../../sdk/common/defaults.ts';
import { durabilitySettings } from './durability-settings.ts';
import { timeSettings, timesOf } from './time-settings.ts';

export const coordinatorSettings = defineSettings({
  listen: {
    schema: listenAddress,
    default: `127.0.0.1:${DEFAULT_GRPC_PORT}`,
    doc: 'Address to serve gRPC on: host:port, :port for all addresses, port for this machine; port 0 takes a free one.',
  },
  httpListen: {
    schema: z.union([z.enum(['auto', 'off']), listenAddress]),
    default: 'auto',
    doc: `Address to serve /metrics, /healthz and /readyz on; auto = 127.0.0.1:${DEFAULT_HTTP_PORT} beside the default gRPC port, else a free port of this machine; off = none.`,
  },
  redisUrl: {
    schema: text,
    doc: 'Redis to use (redis://…, unix://…, several addresses for a Cluster); without one, a private Redis in the data directory.',
    env: 'REDIS_URL',
  },
  dataDir: {
    schema: text,
    doc: 'Folder for artifacts and for the private Redis. $XDG_STATE_HOME/dibs/coordinator by default.',
    env: 'STATE_DIRECTORY',
  },
  token: {
    schema: text,
    doc: 'Bearer token callers must present; several, separated by spaces, while one is rotated. None: this machine only.',
    secret: true,
  },
  namespace: { schema: text, default: 'dibs', doc: 'First part of every key in Redis.' },
  cells: {
    schema: z.union([z.literal('auto'), wholeNumber(1, 1024)]),
    default: 'auto',
    doc: 'Cells of a new key space; auto = one for a single Redis, several a master for a Cluster.',
  },
  tenants: {
    schema: text,
    doc: 'YAML file that names tenants: tokens, weight, maxRunning, maxPriority of each. None: everybody is one tenant.',
  },
  rateLimit: {
    schema: text.transform((list, context) => {
      const limits = new Map<string, RateLimit>();
      for (const part of list.split(/[\s,]+/).filter((one) => one !== '')) {
        const read = parseRate(part);
        if (read === undefined)
          context.addIssue({
            code: 'custom',
            message: `"${part}" is not like image.upscale=10/s or video.cut=5/m:2`,
          });
        else limits.set(read.type, read.limit);
      }
      return limits;
    }),
    doc: 'Jobs of a step type that may be claimed: type=10/s, type=5/m:2 (burst 2); several, separated by spaces. None: any number.',
  },
  ...durabilitySettings,
  ...timeSettings,
});

type CoordinatorSettings = typeof coordinatorSettings;

/** Variables that are ours and no settings of the coordinator. */
const KNOWN_ENV = ['DIBS_LOG_LEVEL', 'DIBS_LOG_FORMAT', 'DIBS_CONFIG', 'DIBS_ADDRESS', 'DIBS_TEST_FILE'];

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws a ConfigError with every mistake. */
export function loadCoordinatorSettings(
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
): Config<CoordinatorSettings> {
  const named = env['DIBS_CONFIG'];
  const files = readConfigFiles(configPaths('coordinator', env), named === '' ? undefined : named);
  const config = loadConfig(coordinatorSettings, { flags, env, files, knownEnv: KNOWN_ENV });
  completeTimes(timesOf(config.values));
  return config;
}

export function dataDirOf({ dataDir }: Config<CoordinatorSettings>['values'], env: Environment): string {
  return (
    dataDir ??
    join(env['XDG_STATE_HOME'] ?? join(env['HOME'] ?? homedir(), '.local/state'), 'dibs/coordinator')
  );
}

export function coordinatorConfig(
  values: Config<CoordinatorSettings>['values'],
  { env, log }: { readonly env: Environment; readonly log: Logger },
): CoordinatorConfig {
  const dataDir = dataDirOf(values, env);
  return {
    listen: values.listen,
    ...httpOf(values.httpListen, values.listen.port),
    redis:
      values.redisUrl === undefined
        ? { embedded: { folder: join(dataDir, 'redis') } }
        : { url: values.redisUrl },
    dataDir,
    tokens: values.token?.split(/\s+/).filter((token) => token !== '') ?? [],
    namespace: values.namespace,
    ...(values.tenants !== undefined && { tenants: readTenants(values.tenants) }),
    ...(values.rateLimit !== undefined && { rates: values.rateLimit }),
    cells: values.cells === 'auto' ? 0 : values.cells,
    times: timesOf(values),
    durability: values.durability,
    replicas: values.replicas,
    replicaWaitMs: values.replicaWait,
    log,
  };
}

export function httpOf(
  told: Config<CoordinatorSettings>['values']['httpListen'],
  grpcPort: number,
): Pick<CoordinatorConfig, 'http'> {
  if (told === 'off') return {};
  if (told !== 'auto') return { http: told };
  return { http: { host: '127.0.0.1', port: grpcPort === DEFAULT_GRPC_PORT ? DEFAULT_HTTP_PORT : 0 } };
}
