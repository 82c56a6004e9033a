/**
 * One job of a process executor: queued → assigned (its child loads) → on the child → ended.
 *
 * Siblings: `process-pool.ts` queues it, `process-slot.ts` puts it on a child.
 *
 * Invariants:
 * 1. Before the child has been told to run, a cancel just ends the job; the child is left to get ready for others.
 * 2. On the child, a cancel or the attempt timeout climbs a ladder: abort signal → abort grace → SIGTERM to the
 *    group → term grace → SIGKILL to the group. What stops a job first decides its verdict.
 * 3. `done` resolves after the executor has ended, its folder is gone and, if the child is used again, what the
 *    stopped job left running is gone too.
 */
import type { ChildRequest, FromChild } from './child-protocol.ts';
import type { CancelReason, JobHooks, JobRequest, JobResult, RunningJob } from './contract.ts';
import { KILL_WAIT_MS, type ExecutorProcess } from './executor-process.ts';
import { MAX_TIMER_MS, type HostSettings } from './host-settings.ts';
import { killStrays } from './process-group.ts';
import {
  failedByExit,
  finished,
  stopFor,
  stopForTimeout,
  stoppedResult,
  type Outcome,
  type Stop,
} from './verdicts.ts';
import { removeFolder, workdirPath } from './workdirs.ts';

/** A child that was told to run and does not say it started is stuck. */
const START_MS = 60_000;

/**
 * What became of the child: usable again; usable, but its executor failed for no fault of the input; it refused
 * the job; it ended by itself; the host ended it.
 */
export type AfterJob = 'usable' | 'suspect' | 'unhealthy' | 'crashed' | 'killed';

export class ProcessJob implements RunningJob {
  readonly done: Promise<JobResult>;
  readonly request: JobRequest;
  settled = false;
  /** A child refused it once for its own bad health. */
  refused = false;
  readonly #hooks: JobHooks;
  readonly #settings: HostSettings;
  readonly #workdir: string;
  readonly #timers = new Set<NodeJS.Timeout>();
  #resolve!: (result: JobResult) => void;
  #process: ExecutorProcess | undefined;
  #gaveUp: (() => void) | undefined;
  #startedAt = 0;
  #stop: Stop | undefined;
  /** The executor has ended: too late to stop anything. */
  #ended = false;

  constructor(request: JobRequest, hooks: JobHooks, settings: HostSettings) {
    this.request = request;
    this.#hooks = hooks;
    this.#settings = settings;
    this.#workdir = workdirPath(settings.jobsRoot, request.jobId);
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  cancel(reason: CancelReason): void {
    this.#halt(stopFor(reason));
  }

  /** Ends a job whose child could not be made ready. */
  fail(outcome: Outcome): void {
    this.#settle(finished(outcome, 0));
  }

  /** Runs on a child that is ready; resolves together with `done`, unless the child refused. */
  async runOn(child: ExecutorProcess, checkHealth: boolean): Promise<AfterJob> {
    this.#process = child;
    child.jobId = this.request.jobId;
    child.forgetOutput();
    const { promise: reported, resolve: report } = Promise.withResolvers<
      FromChild & { kind: 'done' | 'unhealthy' }
    >();
    const { promise: gaveUp, resolve: giveUp } = Promise.withResolvers<'gave up'>();
    this.#gaveUp = () => giveUp('gave up');
    child.listener = (message) => {
      if (message.kind === 'done' || message.kind === 'unhealthy') report(message);
      else this.#receive(message, child);
    };
    const { jobId, attempt, idempotencyKey, inputJson } = this.request;
    const order = { jobId, attempt, idempotencyKey, inputJson, workdir: this.#workdir, checkHealth };
    this.#after(START_MS, () => child.signal('SIGKILL'));
    child.send({ kind: 'run', order });

    const end = await Promise.race([reported, child.exited, gaveUp]);
    child.listener = null;
    child.jobId = '';
    this.#clearTimers();
    if (end === 'gave up') {
      this.#ended = true;
      this.#settings.log.error(
        { childPid: child.pid, jobId },
        'the process of an executor survived SIGKILL; it is abandoned',
      );
      await this.#finish(undefined, 0);
      return 'killed';
    }
    if (!('kind' in end)) {
      // It died before it began, perhaps while it was idle: that is no crash of this job.
      if (this.#startedAt === 0 && !this.refused)
        return this.#refuse('the executor process ended before the job began');
      const stopped = this.#stop !== undefined;
      this.#ended = true;
      await this.#finish(failedByExit(end), this.#elapsedMs(), true);
      return stopped ? 'killed' : 'crashed';
    }
    if (end.kind === 'unhealthy') return this.#refuse(end.message);
    this.#ended = true;
    if (this.#stop !== undefined) await killStrays(child.pid, child.residents);
    await this.#finish(end.outcome, end.runMs, end.usedWorkdir);
    return end.outcome.verdict === 'retryable' ? 'suspect' : 'usable';
  }

  /** The child is of no use; the job may go to another one. */
  #refuse(why: string): AfterJob {
    this.#settings.log.warn({ executor: this.request.type, childPid: this.#process?.pid }, why);
    this.#process = undefined;
    if (this.#stop !== undefined) this.#settle(stoppedResult(this.#stop, 0));
    return 'unhealthy';
  }

  #receive(message: FromChild, child: ExecutorProcess): void {
    switch (message.kind) {
      case 'started':
        this.#clearTimers();
        this.#startedAt = performance.now();
        this.#hooks.started();
        if (this.request.timeoutMs > 0 && this.#stop === undefined) {
          this.#after(this.request.timeoutMs, () => this.#halt(stopForTimeout(this.request.timeoutMs)));
        } else if (this.#stop !== undefined) this.#climb(child, this.#stop);
        return;
      case 'progress':
        return this.#hooks.progress(message.fraction, message.message);
      case 'chunk':
        return this.#hooks.chunk(message.index, message.data);
      case 'request':
        return void this.#answer(message.id, message.request, child);
      default:
    }
  }

  async #answer(id: number, request: ChildRequest, child: ExecutorProcess): Promise<void> {
    try {
      child.send({ kind: 'reply', id, ok: true, value: await this.#perform(request) });
    } catch (error) {
      child.send({
        kind: 'reply',
        id,
        ok: false,
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #perform(request: ChildRequest): Promise<unknown> {
    const { artifacts } = this.#settings;
    if (request.op === 'fetch') return artifacts.fetch(request.reference);
    if (request.op === 'store') return artifacts.store(request.path, request.about);
    return this.#hooks.emitJobs(request.batch, request.inputsJson);
  }

  #halt(stop: Stop): void {
    if (this.settled || this.#ended || this.#stop !== undefined) return;
    this.#stop = stop;
    if (this.#process === undefined) this.#settle(stoppedResult(stop, 0));
    else this.#climb(this.#process, stop);
  }

  #climb(child: ExecutorProcess, stop: Stop): void {
    this.#clearTimers();
    const { abort, term } = this.#settings.cancelGraceMs;
    child.send({ kind: 'abort', reason: stop.signal });
    this.#after(abort, () => child.signal('SIGTERM'));
    this.#after(abort + term, () => child.signal('SIGKILL'));
    this.#after(abort + term + KILL_WAIT_MS, () => this.#gaveUp?.());
  }

  async #finish(outcome: Outcome | undefined, runMs: number, usedWorkdir = true): Promise<void> {
    if (usedWorkdir) {
      await removeFolder(this.#workdir).catch((error: unknown) => {
        this.#settings.log.warn(
          { err: error, jobId: this.request.jobId },
          'could not remove the folder of a job',
        );
      });
    }
    if (this.#stop !== undefined) this.#settle(stoppedResult(this.#stop, runMs || this.#elapsedMs()));
    else if (outcome !== undefined) this.#settle(finished(outcome, runMs));
  }

  #settle(result: JobResult): void {
    if (this.settled) return;
    this.settled = true;
    this.#clearTimers();
    this.#resolve(result);
  }

  #elapsedMs(): number {
    return this.#startedAt === 0 ? 0 : performance.now() - this.#startedAt;
  }

  #after(delayMs: number, act: () => void): void {
    this.#timers.add(setTimeout(act, Math.min(MAX_TIMER_MS, delayMs)));
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
