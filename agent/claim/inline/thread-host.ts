/**
 * Runs inline executors in a thread of their own: the agent's loop, its heartbeats and its leases never wait for them.
 *
 * Siblings: `thread-entry.ts` is the thread, `messages.ts` what they say, `split-host.ts` chooses this or processes.
 *
 * 1. What is asked for in one turn goes out as one message; a job costs an object and a promise here.
 * 2. A job that does not stop when told (a cancel, its timeout) while the thread answers nothing has taken the thread
 *    for itself: the thread is ended. Jobs that had begun end as retryable, those that had not begin anew in the next.
 * 3. A thread that ends by itself is the same, without a culprit. After MAX_DEATHS in a row no new one is made.
 * 4. `done` of every job resolves once, whatever becomes of the thread.
 */
import { Worker } from 'node:worker_threads';
import type {
  ArtifactGateway,
  CancelReason,
  ExecutorDescription,
  JobHooks,
  JobHost,
  JobRequest,
  JobResult,
  RunningJob,
} from '../../jobs/contract.ts';
import type { HostLog } from '../../jobs/log.ts';
import { RESULT_FIELDS, pushRequest, resultAt } from './messages.ts';
import type { Answer, FromThread, Question, ThreadSetup, ToThread } from './messages.ts';
import { ThreadJob } from './thread-job.ts';
import type { CancelPort } from './thread-job.ts';

/** Longer than the host's own grace, so that a thread that still works settles it itself. */
const DEFAULT_GRACE_MS = 6_000;
const DEFAULT_WATCH_MS = 1_000;
const MAX_DEATHS = 5;

export interface ThreadHostOptions {
  readonly modules: readonly string[];
  readonly artifacts: ArtifactGateway;
  readonly log: HostLog;
  readonly workRoot: string;
  readonly maxOutputBytes?: number;
  /** Time a job has to stop before the thread is suspected. */
  readonly graceMs?: number;
  readonly watchMs?: number;
}

export class ThreadHost implements JobHost, CancelPort {
  readonly #o: ThreadHostOptions;
  readonly #graceMs: number;
  readonly #watchMs: number;
  readonly #jobs = new Map<number, ThreadJob>();
  readonly #current = new SharedArrayBuffer(4);
  #executors: readonly ExecutorDescription[] = [];
  #worker: Worker | undefined;
  #ready: Promise<void> | undefined;
  #numbers = 0;
  #deaths = 0;
  /** Why no thread is made any more; empty = one is. */
  #givenUp = '';
  #out = nothing();
  #scheduled = false;
  #watch: NodeJS.Timeout | undefined;
  #pinged = 0;
  #ponged = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: ThreadHostOptions) {
    this.#o = options;
    this.#graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    this.#watchMs = options.watchMs ?? DEFAULT_WATCH_MS;
  }

  get executors(): readonly ExecutorDescription[] {
    return this.#executors;
  }

  start(): Promise<void> {
    this.#ready ??= this.#spawn();
    return this.#ready;
  }

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const number = (this.#numbers = (this.#numbers + 1) & 0x7fffffff);
    const job = new ThreadJob(number, request, hooks, this);
    this.#jobs.set(number, job);
    if (this.#givenUp !== '') {
      this.#settle(number, job.resultOfDeath(this.#givenUp));
      return job;
    }
    this.#post(job);
    this.#watch ??= setInterval(() => this.#look(), this.#watchMs).unref();
    return job;
  }

  processes(): readonly [] {
    return [];
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** For ThreadJob (CancelPort). */
  cancel(job: ThreadJob, reason: CancelReason): void {
    this.#out.cancel.push({ job: job.number, reason });
    this.#schedule();
  }

  #post(job: ThreadJob): void {
    pushRequest(this.#out.run, job.number, job.request);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#worker === undefined) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    const message = this.#out;
    this.#out = nothing();
    this.#worker?.postMessage(message);
  };

  async #spawn(): Promise<void> {
    const setup: ThreadSetup = {
      modules: this.#o.modules,
      workRoot: this.#o.workRoot,
      maxOutputBytes: this.#o.maxOutputBytes,
      current: this.#current,
    };
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./thread-entry${extension}`, import.meta.url), { workerData: setup });
    this.#worker = worker;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.on('message', (message: FromThread) => {
      if (worker !== this.#worker) return;
      const { ready } = message;
      if (ready !== undefined) {
        this.#executors = ready.executors;
        if (ready.problem === '') resolve();
        else reject(new Error(ready.problem));
      }
      this.#take(message);
    });
    worker.on('error', (error) => this.#died(worker, error.message));
    worker.on('exit', (code) => {
      reject(new Error(`the inline thread ended with code ${code} before it was ready`));
      this.#died(worker, `it ended with code ${code}`);
    });
    await promise;
    // A thread with nothing to do does not keep the process alive; the agent's own parts do.
    worker.unref();
  }

  #take(message: FromThread): void {
    for (const number of message.started) this.#jobs.get(number)?.begun();
    for (const { job, fraction, message: text } of message.progress)
      this.#jobs.get(job)?.hooks.progress(fraction, text);
    for (const { job, index, data } of message.chunks) this.#jobs.get(job)?.hooks.chunk(index, data);
    for (const { id, question } of message.questions) void this.#answer(id, question);
    for (const { level, fields, message: text } of message.log) this.#o.log[level](fields, text);
    const { done } = message;
    for (let at = 0; at < done.length; at += RESULT_FIELDS)
      this.#settle(done[at] as number, resultAt(done, at));
    if (done.length > 0) this.#deaths = 0;
    if (message.pong > 0) this.#ponged = message.pong;
  }

  #settle(number: number, result: JobResult): void {
    const job = this.#jobs.get(number);
    if (job === undefined) return;
    this.#jobs.delete(number);
    job.settle(result);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  async #answer(id: number, question: Question): Promise<void> {
    const answer: Answer = await this.#work(question).then(
      (value) => ({ ok: true, value }),
      (error: unknown) => ({ ok: false, message: error instanceof Error ? error.message : String(error) }),
    );
    this.#out.answers.push({ id, answer });
    this.#schedule();
  }

  async #work(question: Question): Promise<unknown> {
    if (question.kind === 'fetch') return this.#o.artifacts.fetch(question.reference);
    if (question.kind === 'store') return this.#o.artifacts.store(question.path, question.about);
    const job = this.#jobs.get(question.job);
    if (job === undefined) throw new Error('the job has ended');
    return job.hooks.emitJobs(question.batch, question.inputsJson);
  }

  /** Once per `watchMs` while jobs are there: what began, is the thread answering, does someone not stop (2). */
  #look(): void {
    this.#jobs.get(this.#currentJob())?.begun();
    const silent = this.#ponged !== this.#pinged;
    const now = performance.now();
    const culprit = silent
      ? [...this.#jobs.values()].find((job) => job.overdue(now, this.#graceMs))
      : undefined;
    if (culprit !== undefined) {
      this.#o.log.error(
        { jobId: culprit.request.jobId, executor: culprit.request.type },
        'inline executor does not stop; its thread is ended',
      );
      this.#died(this.#worker, `a job of ${culprit.request.type} did not stop when told`);
      return;
    }
    if (silent || this.#worker === undefined) return;
    this.#pinged += 1;
    this.#out.ping = this.#pinged;
    this.#schedule();
  }

  #currentJob(): number {
    return Atomics.load(new Int32Array(this.#current), 0);
  }

  /** The thread is, or has to be, gone (2, 3). */
  #died(worker: Worker | undefined, why: string): void {
    if (worker === undefined || worker !== this.#worker) return;
    this.#worker = undefined;
    void worker.terminate();
    this.#jobs.get(this.#currentJob())?.begun();
    this.#ponged = this.#pinged;
    this.#out = nothing();
    this.#deaths += 1;
    const again = this.#stopping === undefined && this.#deaths < MAX_DEATHS;
    if (!again) this.#givenUp = why;
    if (this.#stopping === undefined) this.#o.log.error({ reason: why, again }, 'the inline thread is gone');
    for (const [number, job] of this.#jobs) {
      if (again && job.canBeginAnew) this.#post(job);
      else this.#settle(number, job.resultOfDeath(why));
    }
    if (!again) return;
    void this.#spawn().then(
      () => this.#schedule(),
      (error: unknown) => this.#died(this.#worker, (error as Error).message),
    );
    this.#flush();
  }

  async #stop(): Promise<void> {
    await this.#ready?.catch(() => {});
    for (const job of this.#jobs.values()) job.cancel('shutdown');
    const worker = this.#worker;
    if (worker !== undefined) {
      this.#out.stop = true;
      this.#schedule();
      const gone = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
      const timer = setTimeout(() => void worker.terminate(), this.#graceMs);
      worker.ref();
      await gone;
      clearTimeout(timer);
    }
    for (const [number, job] of this.#jobs)
      this.#settle(number, job.resultOfDeath('the agent is shutting down'));
    clearInterval(this.#watch);
  }
}

type Outgoing = {
  -readonly [K in keyof ToThread]: ToThread[K] extends readonly (infer Item)[] ? Item[] : ToThread[K];
};

function nothing(): Outgoing {
  return { run: [], cancel: [], answers: [], ping: 0, stop: false };
}
