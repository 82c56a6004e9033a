/**
 * What an agent can be told, with every default in one place.
 *
 * 1. `agentSettings` is what people write (flags, environment, files; layered by `runtime/config.ts`), `AgentConfig` what
 *    the program works with; `agentConfig` is the only way from one to the other and names all mistakes at once.
 * 2. `0` never means "never": a limit that is not wanted is left out.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../runtime/config-error.ts';
import { defineSettings } from '../runtime/config.ts';
import type { Values } from '../runtime/config.ts';
import {
  byteSize,
  duration,
  text,
  textList,
  textMap,
  toggle,
  wholeNumber,
} from '../runtime/setting-types.ts';
import { DEFAULT_GRPC_PORT } from '../sdk/common/defaults.ts';
import { labelProblems } from './capabilities/labels.ts';
import type { Prefetch } from './claim/ahead.ts';
import type { LostPolicy } from './drain/coordinator-lost.ts';
import type { ExitRules } from './drain/exit-rules.ts';
import { parseHours } from './drain/hours.ts';
import type { Hours } from './drain/hours.ts';
import { parseAddresses } from './link/coordinators.ts';
import type { TlsFiles, TokenSource } from './link/credentials.ts';

export interface AgentConfig {
  /** host:port, at least one. */
  readonly coordinators: readonly string[];
  /** For people; empty = the host name. */
  readonly name: string;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly cacheMaxBytes: number;
  readonly slots: number | 'auto';
  readonly prefetch: Prefetch;
  /** Built-in executors: "all" or a list of types and patterns. */
  readonly types: string;
  /** Paths of further executor modules. */
  readonly executors: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly token: TokenSource;
  readonly tls: TlsFiles;
  readonly drainTimeoutMs: number;
  readonly exit: ExitRules;
  readonly onCoordinatorLost: LostPolicy;
  /** When it takes jobs; undefined = always. */
  readonly hours?: Hours;
  readonly models: {
    readonly maxBytes: number;
    /** Free space to be left on disk. */
    readonly minFreeBytes: number;
  };
}

const autoOr = (min: number): z.ZodType<number | 'auto'> =>
  z.union([z.literal('auto'), wholeNumber(min)], { error: `must be auto or a whole number from ${min}` });

export const agentSettings = defineSettings({
  coordinator: {
    schema: textList,
    default: `127.0.0.1:${DEFAULT_GRPC_PORT}`,
    doc: `Coordinators to connect to, host:port, several separated by commas; the port is ${DEFAULT_GRPC_PORT} where none is given.`,
    env: 'DIBS_ADDRESS',
  },
  name: { schema: text, doc: 'Name for people; the host name by default.' },
  stateDir: {
    schema: text,
    doc: 'Folder for the identity, unconfirmed results and the control socket; one agent a folder. $XDG_STATE_HOME/dibs/agent by default.',
    env: 'STATE_DIRECTORY',
  },
  cacheDir: {
    schema: text,
    doc: 'Folder for artifacts and the folders of jobs. $XDG_CACHE_HOME/dibs/agent by default.',
    env: 'CACHE_DIRECTORY',
  },
  cacheSize: {
    schema: byteSize,
    default: '10GiB',
    doc: 'Most the artifact cache keeps; the least recently used go first.',
  },
  modelCacheSize: {
    schema: byteSize,
    default: '100GiB',
    doc: 'Most the files of models may take; the least recently used go first.',
  },
  minFreeDisk: {
    schema: byteSize,
    default: '1GiB',
    doc: 'Space to be left free on the disk of the cache; below it nothing is fetched and no job is taken.',
  },
  hours: {
    schema: z.string().transform((value, context) => {
      const hours = parseHours(value);
      if (hours === undefined)
        context.addIssue({ code: 'custom', message: 'must be like 22:00-06:00, in local time' });
      return hours as Hours;
    }),
    doc: 'When to take jobs, in local time: 22:00-06:00. Always by default.',
  },
  slots: {
    schema: autoOr(1),
    default: 'auto',
    doc: 'Jobs at once in all; auto = as many as cores, or as the most parallel executor can use.',
  },
  prefetch: {
    schema: autoOr(0),
    default: 'auto',
    doc: 'Jobs of a type that may wait here beyond those that run; auto = what its slots finish in 20 ms, at most 64.',
  },
  types: {
    schema: text,
    default: 'all',
    doc: 'Built-in executors to offer: types and patterns such as image.*,text.count, or all.',
  },
  executor: { schema: textList, default: '', doc: 'Paths of modules with executors of your own.' },
  label: { schema: textMap, default: '', doc: 'Labels jobs may ask for: zone=eu,disk=ssd.' },
  token: { schema: text, doc: 'Bearer token for the coordinator.', secret: true },
  tls: { schema: toggle, default: false, doc: 'Connect with TLS, trusting the roots of the system.' },
  tlsCa: { schema: text, doc: "PEM file with the root to trust in place of the system's; implies TLS." },
  tlsCert: { schema: text, doc: 'PEM file with the client certificate; implies TLS.' },
  tlsKey: { schema: text, doc: 'PEM file with the key of the client certificate.' },
  drainTimeout: {
    schema: duration,
    default: '10m',
    doc: 'Time running jobs have to finish in a drain before they are handed back.',
  },
  exitAfterIdle: { schema: duration, doc: 'Leave after this time without a job.' },
  exitAfterJob: { schema: toggle, default: false, doc: 'Take one job, then leave.' },
  exitAfterUptime: { schema: duration, doc: 'Drain after this time.' },
  onCoordinatorLost: {
    schema: z.enum(['finish-running', 'stop']),
    default: 'finish-running',
    doc: 'When no coordinator can be reached for as long as a lease lives: let running jobs finish, or stop them and leave.',
  },
});

export type AgentSettingValues = Values<typeof agentSettings>;

/** `tokenFile` is where the token came from, when it came from a file: it is read again for each connection. */
export function agentConfig(
  values: AgentSettingValues,
  tokenFile = '',
  env: NodeJS.ProcessEnv = process.env,
): AgentConfig {
  const problems = labelProblems(values.label);
  let coordinators: string[] = [];
  try {
    coordinators = parseAddresses(values.coordinator.join(','), DEFAULT_GRPC_PORT);
  } catch (error) {
    problems.push((error as Error).message);
  }
  if ((values.tlsCert === undefined) !== (values.tlsKey === undefined))
    problems.push('tls-cert and tls-key go together');
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    coordinators,
    name: values.name ?? '',
    stateDir: values.stateDir ?? userFolder(env, 'XDG_STATE_HOME', '.local/state'),
    cacheDir: values.cacheDir ?? userFolder(env, 'XDG_CACHE_HOME', '.cache'),
    cacheMaxBytes: values.cacheSize,
    slots: values.slots,
    prefetch: values.prefetch,
    types: values.types,
    executors: values.executor,
    labels: values.label,
    token: { token: values.token ?? '', file: tokenFile },
    tls: {
      enabled: values.tls,
      ca: values.tlsCa ?? '',
      cert: values.tlsCert ?? '',
      key: values.tlsKey ?? '',
    },
    drainTimeoutMs: values.drainTimeout,
    exit: {
      afterIdleMs: values.exitAfterIdle,
      afterJobs: values.exitAfterJob ? 1 : undefined,
      afterUptimeMs: values.exitAfterUptime,
    },
    onCoordinatorLost: values.onCoordinatorLost,
    ...(values.hours !== undefined && { hours: values.hours }),
    models: { maxBytes: values.modelCacheSize, minFreeBytes: values.minFreeDisk },
  };
}

function userFolder(env: NodeJS.ProcessEnv, variable: string, inHome: string): string {
  return join(env[variable] ?? join(env['HOME'] ?? homedir(), inHome), 'dibs', 'agent');
}
