/**
 * The queue and the slots of one process executor.
 *
 * Siblings: `inline-pool.ts` does the same without children.
 *
 * Invariants:
 * 1. Jobs start in the order they came; a job stands in the queue or on exactly one slot.
 * 2. Every queued job has a busy slot that will come for it: a slot leaves only an empty queue.
 * 3. Warm slots come first, the last used before the others, so that the rest can unload.
 */
import type { JobHooks, JobRequest, RunningJob } from './contract.ts';
import type { ExecutorProcess } from './executor-process.ts';
import type { HostSettings } from './host-settings.ts';
import { ProcessJob } from './process-job.ts';
import { ProcessSlot, type JobSource } from './process-slot.ts';

export interface PoolSpec {
  readonly module: string;
  readonly type: string;
  readonly env: readonly string[];
  readonly concurrency: number;
}

export class ProcessPool implements JobSource {
  readonly #spec: PoolSpec;
  readonly #clearGpus: (gpus: readonly string[], but: ProcessSlot) => Promise<void>;
  readonly #settings: HostSettings;
  readonly #slots: readonly ProcessSlot[];
  readonly #jobs = new Set<ProcessJob>();
  readonly #children = new Set<ExecutorProcess>();
  #queue: ProcessJob[] = [];
  #stopped = false;
  #waking = false;

  /** `clearGpus`: `leaveGpus` of every pool of the host. */
  constructor(
    spec: PoolSpec,
    settings: HostSettings,
    clearGpus: (gpus: readonly string[], but: ProcessSlot) => Promise<void>,
  ) {
    this.#clearGpus = clearGpus;
    this.#spec = spec;
    this.#settings = settings;
    this.#slots = Array.from(
      { length: spec.concurrency },
      (_, slot) => new ProcessSlot({ ...spec, slot }, settings, this),
    );
  }

  run(request: JobRequest, hooks: JobHooks): RunningJob {
    const job = new ProcessJob(request, hooks, this.#settings);
    if (this.#stopped) {
      job.cancel('shutdown');
      return job;
    }
    this.#jobs.add(job);
    void job.done.then(() => this.#jobs.delete(job));
    this.#queue.push(job);
    this.#wake();
    return job;
  }

  take(): ProcessJob | undefined {
    for (;;) {
      const job = this.#queue.shift();
      if (job === undefined || !job.settled) return job;
    }
  }

  clearGpus(gpus: readonly string[], but: ProcessSlot): Promise<void> {
    return this.#clearGpus(gpus, but);
  }

  /** Ends its own idle children on these GPUs. */
  async leaveGpus(gpus: readonly string[], but: ProcessSlot): Promise<void> {
    await Promise.all(this.#slots.filter((slot) => slot !== but).map((slot) => slot.leaveGpus(gpus)));
  }

  putBack(job: ProcessJob): void {
    this.#queue.unshift(job);
  }

  born(child: ExecutorProcess): void {
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
  }

  processes(): { pid: number; type: string; jobId: string }[] {
    return [...this.#children].map(({ pid, jobId }) => ({ pid, type: this.#spec.type, jobId }));
  }

  /** Cancels every job, then ends every child. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const jobs = [...this.#jobs];
    for (const job of jobs) job.cancel('shutdown');
    for (const slot of this.#slots) slot.close();
    await Promise.all(jobs.map((job) => job.done));
    await Promise.all([...this.#children].map((child) => child.stop()));
  }

  /** A cold slot is woken one turn later: a warm one that is just finishing takes the job before it. */
  #wake(): void {
    const best = this.#bestIdle();
    const gpus = this.#queue[0]?.request.gpus?.join(',') ?? '';
    if (best?.warm === true && best.gpus === gpus) return void best.work();
    if (this.#waking) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      for (let left = this.#queue.length; left > 0; left--) void this.#bestIdle()?.work();
    });
  }

  #bestIdle(): ProcessSlot | undefined {
    const idle = this.#slots.filter((slot) => !slot.busy);
    const gpus = this.#queue[0]?.request.gpus?.join(',') ?? '';
    // A child on other GPUs would have to be ended: a cold slot is better, one on the right GPUs best.
    const rank = (slot: ProcessSlot): number =>
      slot.warm ? (slot.gpus === gpus ? -slot.lastUsedAt - 1 : Number.MAX_SAFE_INTEGER) : 1 + slot.backoffMs;
    return idle.sort((a, b) => rank(a) - rank(b))[0];
  }
}
