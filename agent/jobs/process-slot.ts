/**
 * One place of a process executor: at most one child, kept warm between jobs, one job at a time.
 *
 * cold → loading → idle ⇄ running;  idle → cold after the idle time;  any → cold when the child ends.
 *
 * Siblings: `process-pool.ts` owns the queue and wakes slots, `executor-process.ts` is the child.
 *
 * Invariants:
 * 1. Slots share nothing but the queue: the end of one child never touches another.
 * 2. A job is taken only when the slot may start a child: who waits out a backoff holds no job.
 * 3. A child sees the GPUs it was started for; a job that was given others gets another child, and what is idle on them ends first.
 * 4. After the n-th failure in a row (crash, failed setup) the next child starts 100 ms · 2^(n-1) later, at most 30 s.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ExecutorProcess, type ProcessSpec } from './executor-process.ts';
import { MAX_TIMER_MS, type HostSettings } from './host-settings.ts';
import type { ProcessJob } from './process-job.ts';
import { failed } from './verdicts.ts';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;
/** A child that was idle this long is asked for its health before it gets a job. */
const HEALTH_IDLE_MS = 30_000;

/** What a slot needs of its pool. */
export interface JobSource {
  take(): ProcessJob | undefined;
  putBack(job: ProcessJob): void;
  /** Ends idle children that have memory on these GPUs, other than this slot's; resolves when they are gone. */
  clearGpus(gpus: readonly string[], but: ProcessSlot): Promise<void>;
  /** A child lives until its `exited` resolves. */
  born(child: ExecutorProcess): void;
}

export class ProcessSlot {
  busy = false;
  lastUsedAt = 0;
  readonly #spec: ProcessSpec;
  readonly #settings: HostSettings;
  readonly #source: JobSource;
  readonly #stopping = new AbortController();
  #child: ExecutorProcess | null = null;
  #gpus = '';
  #failures = 0;
  #notBefore = 0;
  #suspect = false;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(spec: ProcessSpec, settings: HostSettings, source: JobSource) {
    this.#spec = spec;
    this.#settings = settings;
    this.#source = source;
  }

  get warm(): boolean {
    return this.#child !== null;
  }

  /** UUIDs of the GPUs its child was given; '' = none of its own. */
  get gpus(): string {
    return this.#child === null ? '' : this.#gpus;
  }

  /** Ends an idle child that was given one of these GPUs; resolves when it is gone. */
  async leaveGpus(gpus: readonly string[]): Promise<void> {
    const child = this.#child;
    if (this.busy || child === null || !gpus.some((uuid) => this.#gpus.split(',').includes(uuid))) return;
    clearTimeout(this.#idleTimer);
    this.#drop(child, false);
    await child.exited;
  }

  /** Time until it may start a child, milliseconds. */
  get backoffMs(): number {
    return this.#child === null ? Math.max(0, this.#notBefore - performance.now()) : 0;
  }

  /** Runs jobs until the queue is empty. */
  async work(): Promise<void> {
    this.busy = true;
    clearTimeout(this.#idleTimer);
    for (;;) {
      if (this.backoffMs > 0) {
        await delay(this.backoffMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
      const job = this.#stopping.signal.aborted ? undefined : this.#source.take();
      if (job === undefined) break;
      await this.#serve(job);
    }
    this.busy = false;
    this.#waitIdle();
  }

  /** Starts nothing any more. */
  close(): void {
    this.#stopping.abort();
    clearTimeout(this.#idleTimer);
    this.#child = null;
  }

  async #serve(job: ProcessJob): Promise<void> {
    if (this.#child?.alive === false) this.#drop(this.#child, true);
    const { gpus = [] } = job.request;
    if (this.#child !== null && this.#gpus !== gpus.join(',')) {
      const other = this.#child;
      this.#drop(other, false);
      await other.exited;
    }
    if (this.#child === null && gpus.length > 0) await this.#source.clearGpus(gpus, this);
    const child = (this.#child ??= this.#start(gpus));
    const problem = await child.loaded;
    if (problem !== null) {
      job.fail(problem);
      return this.#drop(child, true);
    }
    if (job.settled) return;
    const checkHealth = this.#suspect || performance.now() - this.lastUsedAt > HEALTH_IDLE_MS;
    const after = await job.runOn(child, checkHealth && this.lastUsedAt > 0);
    this.lastUsedAt = performance.now();
    this.#suspect = after === 'suspect';
    if (after === 'usable') this.#failures = 0;
    else if (after === 'crashed') this.#drop(child, true);
    else if (after === 'killed') this.#drop(child, false);
    else if (after === 'unhealthy') {
      this.#drop(child, true);
      if (job.refused)
        job.fail(failed('retryable', 'RESOURCE_ERROR', 'the executor is unhealthy, see its log'));
      else {
        job.refused = true;
        this.#source.putBack(job);
      }
    }
  }

  #start(gpus: readonly string[]): ExecutorProcess {
    this.#gpus = gpus.join(',');
    const child = new ExecutorProcess(this.#spec, this.#settings, gpus);
    this.#source.born(child);
    this.lastUsedAt = 0;
    this.#suspect = false;
    void child.exited.then((exit) => {
      if (this.#child !== child || this.busy) return;
      this.#settings.log.warn(
        { executor: this.#spec.type, childPid: child.pid, ...exit },
        'idle executor process ended',
      );
      this.#drop(child, true);
    });
    return child;
  }

  /** The slot is cold again; whatever is left of the child is ended. */
  #drop(child: ExecutorProcess, itsFault: boolean): void {
    if (this.#child === child) this.#child = null;
    if (itsFault) {
      const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++);
      this.#notBefore = performance.now() + backoff;
    }
    if (child.alive) void child.stop();
  }

  #waitIdle(): void {
    const { idleUnloadMs } = this.#settings;
    if (idleUnloadMs === 'never' || this.#child === null || this.#stopping.signal.aborted) return;
    this.#idleTimer = setTimeout(
      () => {
        if (this.#child !== null) this.#drop(this.#child, false);
      },
      Math.min(MAX_TIMER_MS, idleUnloadMs),
    ).unref();
  }
}
