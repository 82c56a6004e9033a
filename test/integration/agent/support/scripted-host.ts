/**
 * An executor host whose jobs do what the test says: nothing ends, begins or reports by itself.
 */
import type {
  CancelReason,
  ExecutorDescription,
  JobHooks,
  JobHost,
  JobRequest,
  JobResult,
  RunningJob,
} from '../../../../agent/jobs/contract.ts';

export const ECHO: ExecutorDescription = {
  type: 'test.echo',
  version: '1',
  concurrency: 2,
  inputSchemaJson: '',
  outputSchemaJson: '',
  cost: '',
  deterministic: false,
  isolation: 'process',
  gpus: 0,
  vramBytes: 0,
  memoryBytes: 0,
  models: [],
  description: '',
};

export class ScriptedJob implements RunningJob {
  readonly request: JobRequest;
  readonly hooks: JobHooks;
  readonly canceled: CancelReason[] = [];
  readonly done: Promise<JobResult>;
  #resolve: (result: JobResult) => void = () => {};

  constructor(request: JobRequest, hooks: JobHooks) {
    this.request = request;
    this.hooks = hooks;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  cancel(reason: CancelReason): void {
    this.canceled.push(reason);
  }

  succeed(outputJson = '{"ok":true}', runMs = 5): void {
    this.end({ verdict: 'succeeded', outputJson, runMs });
  }

  end(result: Partial<JobResult>): void {
    this.#resolve({
      verdict: 'succeeded',
      outputJson: '',
      reason: '',
      message: '',
      runMs: 1,
      blockedReason: '',
      ...result,
    });
  }
}

export class ScriptedHost implements JobHost {
  readonly executors: readonly ExecutorDescription[];
  readonly jobs: ScriptedJob[] = [];
  stopped = false;
  /** Called for each job as it is handed over. */
  onRun: (job: ScriptedJob) => void = () => {};
  #waiters: { jobId: string; resolve: (job: ScriptedJob) => void }[] = [];

  constructor(executors: readonly ExecutorDescription[] = [ECHO]) {
    this.executors = executors;
  }

  async start(): Promise<void> {}

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const job = new ScriptedJob(request, hooks);
    this.jobs.push(job);
    // As in the real host, nothing happens before `run` has returned.
    queueMicrotask(() => {
      this.onRun(job);
      for (const waiter of this.#waiters) if (waiter.jobId === request.jobId) waiter.resolve(job);
    });
    return job;
  }

  /** The job once it has been handed over. */
  async job(jobId: string): Promise<ScriptedJob> {
    const here = this.jobs.find(({ request }) => request.jobId === jobId);
    if (here !== undefined) return here;
    return new Promise((resolve) => this.#waiters.push({ jobId, resolve }));
  }

  processes(): [] {
    return [];
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const job of this.jobs) job.end({ verdict: 'canceled', reason: 'SHUTDOWN' });
  }
}
