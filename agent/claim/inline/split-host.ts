/**
 * One executor host out of two: processes for what is isolated, the inline thread for the rest.
 *
 * 1. Modules are looked at once before either is made: what is inline is never imported into the agent itself.
 * 2. A module with both kinds is given to both hosts; each type is run by the one it belongs to.
 */
import type { ExecutorDescription, JobHooks, JobHost, JobRequest, RunningJob } from '../../jobs/contract.ts';
import type { JobHostOptions } from '../../jobs/host-settings.ts';
import { createJobHost } from '../../jobs/host.ts';
import { probeModules } from '../../jobs/probe.ts';
import { failed, finished } from '../../jobs/verdicts.ts';
import { ThreadHost } from './thread-host.ts';
import type { ThreadHostOptions } from './thread-host.ts';

export interface SplitHostOptions extends JobHostOptions {
  /** How soon a job that does not stop loses the inline thread. */
  readonly thread?: Pick<ThreadHostOptions, 'graceMs' | 'watchMs'>;
}

export class SplitHost implements JobHost {
  readonly #o: SplitHostOptions;
  readonly #byType = new Map<string, JobHost>();
  #executors: readonly ExecutorDescription[] = [];
  #hosts: JobHost[] = [];
  #starting: Promise<void> | undefined;

  constructor(options: SplitHostOptions) {
    this.#o = options;
  }

  get executors(): readonly ExecutorDescription[] {
    return this.#executors;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const host = this.#byType.get(request.type);
    if (host !== undefined) return host.run(request, hooks);
    const outcome = failed('retryable', 'RESOURCE_ERROR', `this agent has no executor for "${request.type}"`);
    return { done: Promise.resolve(finished(outcome, 0)), cancel: () => {} };
  }

  processes(): ReturnType<JobHost['processes']> {
    return this.#hosts.flatMap((host) => host.processes());
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => {});
    await Promise.all(this.#hosts.map((host) => host.stop()));
  }

  async #start(): Promise<void> {
    const { modules, env = [], log, artifacts, workRoot, maxOutputBytes } = this.#o;
    const reports = await probeModules([...new Set(modules)], env, log);
    const inline: string[] = [];
    const isolated: string[] = [];
    for (const report of reports) {
      // One that cannot be loaded goes to the host that explains it.
      const kinds =
        'executors' in report ? report.executors.map(({ isolation }) => isolation) : ['process' as const];
      if (kinds.includes('inline')) inline.push(report.module);
      if (kinds.includes('process')) isolated.push(report.module);
    }
    const processes = createJobHost({ ...this.#o, modules: isolated });
    this.#hosts = [processes];
    const limits = { ...this.#o.thread, ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }) };
    const thread =
      inline.length === 0
        ? undefined
        : new ThreadHost({ modules: inline, artifacts, log, workRoot, ...limits });
    if (thread !== undefined) this.#hosts.push(thread);
    await Promise.all(this.#hosts.map((host) => host.start()));
    this.#offer(processes, 'process');
    if (thread !== undefined) this.#offer(thread, 'inline');
  }

  #offer(host: JobHost, isolation: ExecutorDescription['isolation']): void {
    const mine = host.executors.filter((executor) => executor.isolation === isolation);
    for (const { type } of mine) this.#byType.set(type, host);
    this.#executors = [...this.#executors, ...mine];
  }
}
