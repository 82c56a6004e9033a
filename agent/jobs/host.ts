/**
 * The executor host: knows what a list of modules can run and runs jobs with it.
 *
 * Siblings: `contract.ts` is the seam to the claim loop, `probe.ts` finds the executors, `process-pool.ts` and
 * `inline-pool.ts` run their jobs. See README.md for states and times.
 *
 * Invariants:
 * 1. Nothing is imported into this process but the modules of inline executors.
 * 2. `start` finds all mistakes of all modules and names them in one error; `start` and `stop` are idempotent.
 * 3. After `stop` no process and no folder of this host is left.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findExecutors } from '../../sdk/executor/define.ts';
import type { ExecutorDescription, JobHooks, JobHost, JobRequest, RunningJob } from './contract.ts';
import { load } from './drive.ts';
import { settingsFrom, type HostSettings, type JobHostOptions } from './host-settings.ts';
import { InlinePool } from './inline-pool.ts';
import { executorLog } from './log.ts';
import type { ProbedExecutor } from './probe-child.ts';
import { probeModules } from './probe.ts';
import { modelPaths } from './model-paths.ts';
import { ProcessPool } from './process-pool.ts';
import type { ProcessSlot } from './process-slot.ts';
import { failed, finished } from './verdicts.ts';
import { openJobsRoot, removeFolder } from './workdirs.ts';

/** Jobs of one inline executor in flight: they share one thread, but may wait for other machines. */
const INLINE_CONCURRENCY = 256;

type Pool = ProcessPool | InlinePool;

/** Modules that cannot be used; the message has a line for each. */
export class ExecutorLoadError extends Error {
  readonly problems: readonly { readonly module: string; readonly problem: string }[];

  constructor(problems: readonly { readonly module: string; readonly problem: string }[]) {
    super(problems.map(({ module, problem }) => `${module}: ${problem}`).join('\n'));
    this.name = 'ExecutorLoadError';
    this.problems = problems;
  }
}

export function createJobHost(options: JobHostOptions): JobHost {
  return new ModuleHost(options);
}

class ModuleHost implements JobHost {
  readonly #options: JobHostOptions;
  readonly #pools = new Map<string, Pool>();
  readonly #concurrencies = new Map<string, number>();
  #executors: readonly ExecutorDescription[] = [];
  #settings: HostSettings | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #teardowns: (() => unknown)[] = [];

  constructor(options: JobHostOptions) {
    this.#options = options;
  }

  get executors(): readonly ExecutorDescription[] {
    return this.#executors;
  }

  start(): Promise<void> {
    return (this.#starting ??= this.#start());
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const pool = this.#pools.get(request.type);
    if (pool !== undefined) return pool.run(request, hooks);
    const outcome = failed('retryable', 'RESOURCE_ERROR', `this agent has no executor for "${request.type}"`);
    return { done: Promise.resolve(finished(outcome, 0)), cancel: () => {} };
  }

  processes(): readonly { pid: number; type: string; jobId: string }[] {
    return [...this.#pools.values()].flatMap((pool) => (pool instanceof ProcessPool ? pool.processes() : []));
  }

  async #start(): Promise<void> {
    const { log, env = [] } = this.#options;
    const modules = this.#options.modules.map((module) =>
      module.startsWith('file:') ? fileURLToPath(module) : module,
    );
    const reports = await probeModules([...new Set(modules)], env, log);
    const problems = reports.filter((report) => 'problem' in report);
    const probed = reports.flatMap((report) => ('executors' in report ? report.executors : []));
    for (const [index, { type, module }] of probed.entries()) {
      const other = probed.findIndex((one) => one.type === type);
      if (other < index)
        problems.push({ module, problem: `"${type}" is also offered by ${probed[other]?.module}` });
    }
    if (problems.length > 0) throw new ExecutorLoadError(problems);
    const settings = settingsFrom(this.#options, await openJobsRoot(this.#options.workRoot));
    this.#settings = settings;
    for (const executor of probed) await this.#open(executor, settings);
    this.#executors = probed.map((executor) => this.#describe(executor));
  }

  async #open(probed: ProbedExecutor, settings: HostSettings): Promise<void> {
    const { type, module, env } = probed;
    const concurrency = await this.#settle(probed);
    if (probed.isolation === 'process') {
      const clear = async (gpus: readonly string[], but: ProcessSlot): Promise<void> => {
        const pools = [...this.#pools.values()].filter((pool) => pool instanceof ProcessPool);
        await Promise.all(pools.map((pool) => pool.leaveGpus(gpus, but)));
      };
      this.#pools.set(type, new ProcessPool({ type, module, env, concurrency }, settings, clear));
      return;
    }
    const exports = (await import(/* @vite-ignore */ pathToFileURL(module).href)) as Record<string, unknown>;
    const executor = findExecutors(exports).find((one) => one.type === type);
    if (executor === undefined)
      throw new ExecutorLoadError([{ module, problem: `no longer exports "${type}"` }]);
    const log = executorLog((level, message, fields) =>
      settings.log[level]({ ...fields, executor: type }, message),
    );
    const lifecycle = { log, models: modelPaths(executor.models) };
    try {
      await executor.setup?.(lifecycle);
      await executor.warmup?.(lifecycle);
    } catch (error) {
      throw new ExecutorLoadError([{ module, problem: `setup of "${type}": ${(error as Error).message}` }]);
    }
    if (executor.teardown !== null) this.#teardowns.push(() => executor.teardown?.(lifecycle));
    this.#pools.set(type, new InlinePool(load(executor), concurrency, settings));
  }

  /** Jobs at once, settled once. */
  async #settle({ type, concurrency, isolation, gpus, vramBytes }: ProbedExecutor): Promise<number> {
    const { concurrencyOverride, gpuRoom } = this.#options;
    const automatic = async (): Promise<number> => {
      if (isolation === 'inline') return INLINE_CONCURRENCY;
      if (gpus === 0 && vramBytes === 0) return availableParallelism();
      return Math.max(1, (await gpuRoom?.({ gpus, vramBytes })) ?? 1);
    };
    const settled = concurrencyOverride?.[type] ?? (concurrency === 'auto' ? await automatic() : concurrency);
    this.#concurrencies.set(type, settled);
    return settled;
  }

  #describe(probed: ProbedExecutor): ExecutorDescription {
    const { module: _module, env: _env, ...described } = probed;
    return { ...described, concurrency: this.#concurrencies.get(probed.type) ?? 1 };
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => {});
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop()));
    for (const teardown of this.#teardowns) {
      try {
        await teardown();
      } catch (error) {
        this.#options.log.warn({ err: error }, 'teardown failed');
      }
    }
    if (this.#settings !== undefined) await removeFolder(this.#settings.jobsRoot);
  }
}
