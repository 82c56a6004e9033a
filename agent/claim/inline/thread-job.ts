/**
 * One job in the inline thread, as the agent sees it; sibling: `thread-host.ts`.
 *
 * 1. What it was told (a cancel) or has exceeded (its timeout) decides how it ends with its thread, before anything else.
 */
import type { CancelReason, JobHooks, JobRequest, JobResult, RunningJob } from '../../jobs/contract.ts';
import { failed, finished, stopFor, stopForTimeout, stoppedResult } from '../../jobs/verdicts.ts';
import type { Stop } from '../../jobs/verdicts.ts';

export interface CancelPort {
  cancel(job: ThreadJob, reason: CancelReason): void;
}

export class ThreadJob implements RunningJob {
  readonly number: number;
  readonly request: JobRequest;
  readonly hooks: JobHooks;
  readonly done: Promise<JobResult>;
  readonly #host: CancelPort;
  #resolve: (result: JobResult) => void = () => {};
  #begunAt = 0;
  #stop: Stop | undefined;
  #stopAt = 0;

  constructor(number: number, request: JobRequest, hooks: JobHooks, host: CancelPort) {
    this.number = number;
    this.request = request;
    this.hooks = hooks;
    this.#host = host;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** May begin in another thread: it has not begun, and nobody wants it stopped. */
  get canBeginAnew(): boolean {
    return this.#begunAt === 0 && this.#stop === undefined;
  }

  begun(): void {
    if (this.#begunAt !== 0) return;
    this.#begunAt = performance.now();
    this.hooks.started();
  }

  cancel(reason: CancelReason): void {
    if (this.#stop !== undefined) return;
    this.#stop = stopFor(reason);
    this.#stopAt = performance.now();
    this.#host.cancel(this, reason);
  }

  /** Should have stopped `graceMs` ago. */
  overdue(now: number, graceMs: number): boolean {
    if (this.#stop !== undefined && this.#begunAt !== 0) return now - this.#stopAt > graceMs;
    return this.#late(now - graceMs);
  }

  settle(result: JobResult): void {
    this.#resolve(result);
  }

  resultOfDeath(why: string): JobResult {
    const now = performance.now();
    const runMs = this.#begunAt === 0 ? 0 : now - this.#begunAt;
    if (this.#stop !== undefined) return stoppedResult(this.#stop, runMs);
    if (this.#late(now)) return stoppedResult(stopForTimeout(this.request.timeoutMs), runMs);
    const outOfMemory = /out of memory|memory limit/i.test(why);
    return finished(
      failed(
        'retryable',
        outOfMemory ? 'OUT_OF_MEMORY' : 'EXECUTOR_CRASHED',
        `the thread of inline executors is gone: ${why}`,
      ),
      runMs,
    );
  }

  #late(now: number): boolean {
    return this.request.timeoutMs > 0 && this.#begunAt !== 0 && now - this.#begunAt > this.request.timeoutMs;
  }
}
