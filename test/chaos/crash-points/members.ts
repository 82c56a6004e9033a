/** Coordinators and agents of the crash rounds as processes: how each is started. */
import { join } from 'node:path';
import { CrashProcess } from './process.ts';

type Env = Readonly<Record<string, string>>;

export interface CoordinatorPlan {
  readonly address: string;
  readonly redisUrl: string;
  readonly folder: string;
  readonly flags: readonly string[];
}

export function startCoordinator(
  { address, redisUrl, folder, flags }: CoordinatorPlan,
  env: Env = {},
): CrashProcess {
  return new CrashProcess({
    folder,
    preload: 'coordinator-preload.ts',
    args: [
      ...['cli/dibs.ts', 'coordinator', 'start', '--listen', address, '--log-format', 'json'],
      ...['--redis-url', redisUrl, '--data-dir', join(folder, 'data'), ...flags],
    ],
    env: { CRASH_REPORT: join(folder, 'report-of-others'), ...env },
  });
}

export interface AgentPlan {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly folder: string;
}

/** Offers the executors of the rounds under the label `side=<name>`. */
export function startAgent({ name, addresses, folder }: AgentPlan, env: Env = {}): CrashProcess {
  const state = stateDir(folder, name);
  return new CrashProcess({
    folder,
    preload: 'agent-preload.ts',
    args: [
      ...['cli/dibs-agent.ts', 'start', '--coordinator', addresses.join(','), '--name', name],
      ...['--state-dir', state, '--cache-dir', join(folder, name, 'cache')],
      ...['--executor', join(import.meta.dirname, 'executors.ts'), '--types', 'crash.*'],
      ...['--label', `side=${name}`, '--slots', '16', '--prefetch', '0', '--log-format', 'json'],
    ],
    env: { CRASH_STATE_DIR: state, ...env },
  });
}

export function stateDir(folder: string, name: string): string {
  return join(folder, name, 'state');
}
