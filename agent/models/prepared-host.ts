/**
 * An executor host whose jobs begin when the model files of their executor are here.
 *
 * 1. A job without models, or with all of them here, goes on at once: nothing is added to its way.
 * 2. Its files are in use from before they are fetched until it has ended.
 * 3. A cancel while they are fetched ends the job; others that wait for the same files wait on.
 */
import type {
  CancelReason,
  ExecutorDescription,
  JobHooks,
  JobHost,
  JobRequest,
  JobResult,
  RunningJob,
} from '../jobs/contract.ts';
import { failed, finished, stopFor, stoppedResult } from '../jobs/verdicts.ts';
import { ModelError } from './store.ts';
import type { FetchProgress, ModelStore } from './store.ts';

export type Preparing = (request: JobRequest, progress: FetchProgress) => void;

/** Progress of a fetch is told at most this often per job. */
const PACE_MS = 1000;

export class PreparedHost implements JobHost {
  readonly #host: JobHost;
  readonly #store: ModelStore;
  readonly #preparing: Preparing;
  readonly #now: () => number;
  #byType: ReadonlyMap<string, ExecutorDescription> = new Map();

  constructor(host: JobHost, store: ModelStore, preparing: Preparing, now: () => number) {
    this.#host = host;
    this.#store = store;
    this.#preparing = preparing;
    this.#now = now;
  }

  get executors(): readonly ExecutorDescription[] {
    return this.#host.executors;
  }

  async start(): Promise<void> {
    await this.#host.start();
    this.#byType = new Map(this.#host.executors.map((executor) => [executor.type, executor]));
    const models = this.#host.executors.flatMap((executor) => executor.models);
    if (models.length === 0) return;
    await this.#store.open(models);
    await this.#store.sweep(models);
  }

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const models = this.#byType.get(request.type)?.models ?? [];
    if (models.length === 0) return this.#host.run(request, hooks); // 1
    const releases = models.map((model) => this.#store.use(model));
    const job = models.every((model) => this.#store.has(model))
      ? this.#host.run(request, hooks)
      : this.#prepare(request, hooks);
    void job.done.then(() => releases.forEach((release) => release()));
    return job;
  }

  processes(): ReturnType<JobHost['processes']> {
    return this.#host.processes();
  }

  stop(): Promise<void> {
    return this.#host.stop();
  }

  /** Models of executors with a process that waits for a job. */
  warmModels(): readonly string[] {
    const idle = new Set(this.#host.processes().flatMap(({ type, jobId }) => (jobId === '' ? [type] : [])));
    return [
      ...new Set([...idle].flatMap((type) => this.#byType.get(type)?.models ?? []).map(({ name }) => name)),
    ];
  }

  #prepare(request: JobRequest, hooks: JobHooks): RunningJob {
    const abort = new AbortController();
    let running: RunningJob | undefined;
    let reason: CancelReason | undefined;
    let toldAt = Number.NEGATIVE_INFINITY;
    const tell = (progress: FetchProgress): void => {
      if (this.#now() - toldAt < PACE_MS) return;
      toldAt = this.#now();
      this.#preparing(request, progress);
    };
    const prepare = async (): Promise<JobResult> => {
      try {
        for (const model of this.#byType.get(request.type)?.models ?? [])
          await this.#store.ensure(model, abort.signal, tell);
      } catch (error) {
        if (reason !== undefined) return stoppedResult(stopFor(reason), 0);
        if (error instanceof ModelError) return finished(failed('retryable', error.reason, error.message), 0);
        throw error;
      }
      if (reason !== undefined) return stoppedResult(stopFor(reason), 0);
      running = this.#host.run(request, hooks);
      return running.done;
    };
    return {
      done: prepare(),
      cancel: (why) => {
        reason ??= why;
        if (running === undefined) abort.abort();
        else running.cancel(why);
      },
    };
  }
}
