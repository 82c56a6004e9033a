/** An agent configuration for tests: everything in one folder, nothing the box decides. */
import { join } from 'node:path';
import type { AgentConfig } from '../../../../agent/config.ts';
import type { HostLog } from '../../../../agent/jobs/log.ts';

export function agentConfig(
  folder: string,
  coordinators: readonly string[],
  changes: Partial<AgentConfig> = {},
): AgentConfig {
  return {
    coordinators,
    name: 'test-agent',
    stateDir: join(folder, 'state'),
    cacheDir: join(folder, 'cache'),
    cacheMaxBytes: 64 * 1024 * 1024,
    slots: 'auto',
    prefetch: 'auto',
    types: 'all',
    executors: [],
    labels: {},
    token: { token: '', file: '' },
    tls: { enabled: false, ca: '', cert: '', key: '' },
    drainTimeoutMs: 60_000,
    exit: { afterIdleMs: undefined, afterJobs: undefined, afterUptimeMs: undefined },
    onCoordinatorLost: 'finish-running',
    models: { maxBytes: 2 ** 30, minFreeBytes: 2 ** 20 },
    ...changes,
  };
}

export const quietLog: HostLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
