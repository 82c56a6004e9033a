/**
 * Runs the jobs of one inline executor in the agent's own process: trusted, short work at a high rate.
 *
 * Siblings: `process-pool.ts` does the same with children; `drive.ts` is the run itself.
 *
 * Invariants:
 * 1. No hook is called and no executor runs before `run` has returned (jobs begin in a microtask).
 * 2. A job costs an object, a promise and a context; timers and folders exist only where they are used.
 * 3. Code in this process cannot be killed: a job that ignores its abort is reported after the abort grace,
 *    but keeps its place until its code has really ended.
 */
import type { CancelReason, JobHooks, JobRequest, JobResult, RunningJob } from './contract.ts';
import { drive, type LoadedExecutor } from './drive.ts';
import { MAX_TIMER_MS, type HostSettings } from './host-settings.ts';
import { JobContext, type ContextPort } from './job-context.ts';
import type { LogLevel } from './log.ts';
import { modelPaths } from './model-paths.ts';
import { finished, stopFor, stopForTimeout, stoppedResult, type Outcome, type Stop } from './verdicts.ts';
import { makeWorkdir, removeFolder, workdirPath } from './workdirs.ts';

export class InlinePool {
  readonly loaded: LoadedExecutor;
  readonly settings: HostSettings;
  readonly #concurrency: number;
  /** Paths of the executor's model files. */
  readonly models: Readonly<Record<string, string>>;
  readonly #jobs = new Set<InlineJob>();
  #waiting: InlineJob[] = [];
  #head = 0;
  #busy = 0;
  #pumping = false;
  #stopped = false;

  constructor(loaded: LoadedExecutor, concurrency: number, settings: HostSettings) {
    this.loaded = loaded;
    this.settings = settings;
    this.#concurrency = concurrency;
    this.models = modelPaths(loaded.executor.models);
  }

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const job = new InlineJob(this, request, hooks);
    if (this.#stopped) {
      job.cancel('shutdown');
      return job;
    }
    this.#jobs.add(job);
    this.#waiting.push(job);
    if (!this.#pumping) {
      this.#pumping = true;
      queueMicrotask(this.#pump);
    }
    return job;
  }

  /** Cancels everything; resolves once every job has been reported. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const jobs = [...this.#jobs];
    for (const job of jobs) job.cancel('shutdown');
    await Promise.all(jobs.map((job) => job.done));
  }

  forget(job: InlineJob): void {
    this.#jobs.delete(job);
  }

  freePlace(): void {
    this.#busy--;
    if (!this.#pumping) this.#pump();
  }

  readonly #pump = (): void => {
    this.#pumping = true;
    while (this.#busy < this.#concurrency && this.#head < this.#waiting.length) {
      const job = this.#waiting[this.#head++] as InlineJob;
      if (job.settled) continue;
      this.#busy++;
      job.begin();
    }
    // Taken entries are dropped in bulk: shift() per job would be quadratic.
    if (this.#head === this.#waiting.length || this.#head > 4096) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    this.#pumping = false;
  };
}

class InlineJob implements RunningJob, ContextPort {
  readonly done: Promise<JobResult>;
  settled = false;
  readonly #pool: InlinePool;
  readonly #request: JobRequest;
  readonly #hooks: JobHooks;
  #resolve!: (result: JobResult) => void;
  #context: JobContext | undefined;
  #startedAt = 0;
  #stop: Stop | undefined;
  #timer: NodeJS.Timeout | undefined;
  #workdir: string | undefined;

  constructor(pool: InlinePool, request: JobRequest, hooks: JobHooks) {
    this.#pool = pool;
    this.#request = request;
    this.#hooks = hooks;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  begin(): void {
    const { loaded, settings } = this.#pool;
    this.#context = new JobContext(this.#request, this, this.#pool.models);
    this.#startedAt = performance.now();
    this.#hooks.started();
    const outcome = drive(loaded, this.#request.inputJson, this.#context, settings.maxOutputBytes);
    if (!(outcome instanceof Promise)) return this.#ended(outcome);
    const { timeoutMs } = this.#request;
    if (timeoutMs > 0 && this.#stop === undefined) {
      const leftMs = Math.min(MAX_TIMER_MS, Math.max(0, timeoutMs - this.#runMs()));
      this.#timer = setTimeout(() => this.#halt(stopForTimeout(timeoutMs)), leftMs);
    }
    void outcome.then((value) => this.#ended(value));
  }

  cancel(reason: CancelReason): void {
    this.#halt(stopFor(reason));
  }

  #halt(stop: Stop): void {
    if (this.settled || this.#stop !== undefined) return;
    this.#stop = stop;
    clearTimeout(this.#timer);
    if (this.#context === undefined) return this.#settle(stoppedResult(stop, 0));
    this.#context.abort(stop.signal);
    this.#timer = setTimeout(() => {
      this.#pool.settings.log.warn(
        { jobId: this.#request.jobId, executor: this.#request.type },
        'inline executor ignores its abort signal; its code goes on',
      );
      this.#settle(stoppedResult(stop, this.#runMs()));
    }, this.#pool.settings.cancelGraceMs.abort);
  }

  /** The executor's code has ended. */
  #ended(outcome: Outcome): void {
    const runMs = this.#runMs();
    const { timeoutMs } = this.#request;
    // A run without a pause lets no timer fire: its timeout is found out here.
    if (timeoutMs > 0 && runMs > timeoutMs) this.#stop ??= stopForTimeout(timeoutMs);
    const result = this.#stop === undefined ? finished(outcome, runMs) : stoppedResult(this.#stop, runMs);
    if (this.#workdir === undefined) {
      this.#settle(result);
      this.#pool.freePlace();
      return;
    }
    this.#context?.close();
    void removeFolder(this.#workdir)
      .catch((error: unknown) =>
        this.#pool.settings.log.warn({ err: error }, 'could not remove the folder of a job'),
      )
      .then(() => {
        this.#settle(result);
        this.#pool.freePlace();
      });
  }

  #settle(result: JobResult): void {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.#timer);
    this.#context?.close();
    this.#pool.forget(this);
    this.#resolve(result);
  }

  #runMs(): number {
    return performance.now() - this.#startedAt;
  }

  progress(fraction: number, message: string): void {
    this.#hooks.progress(fraction, message);
  }

  chunk(index: number, data: string): void {
    this.#hooks.chunk(index, data);
  }

  emitJobs(batch: number, inputsJson: readonly string[]): Promise<void> {
    return this.#hooks.emitJobs(batch, inputsJson);
  }

  fetch(reference: Parameters<ContextPort['fetch']>[0]): Promise<string> {
    return this.#pool.settings.artifacts.fetch(reference);
  }

  store(...[path, about]: Parameters<ContextPort['store']>): ReturnType<ContextPort['store']> {
    return this.#pool.settings.artifacts.store(path, about);
  }

  log(level: LogLevel, message: string, fields: Record<string, unknown>): void {
    const { jobId, type, attempt } = this.#request;
    this.#pool.settings.log[level]({ ...fields, jobId, executor: type, attempt }, message);
  }

  workdir(): string {
    this.#workdir = makeWorkdir(workdirPath(this.#pool.settings.jobsRoot, this.#request.jobId));
    return this.#workdir;
  }
}
