/**
 * Finished jobs that the coordinator has not yet confirmed; siblings: `spooler.ts` decides which go to disk and when.
 *
 * 1. A completion stays here until an ack names its (job, token), over sessions and, spooled, over restarts.
 * 2. Every session sends all of them once, and new ones as they come.
 * 3. While a coordinator is connected only a completion without an ack for `SPOOL_AFTER_MS` touches the disk: the fast
 *    path pays nothing. Without one, and at shutdown, all do at once: kill -9 then loses no finished work.
 * 4. Beyond `MAX_UNACKED` the agent asks for no more work (`full`): this is the bound on memory.
 */
import { State } from '../../sdk/common/states.ts';
import type { StateCode } from '../../sdk/common/states.ts';
import type { JobResult } from '../jobs/contract.ts';
import { Spooler } from './spooler.ts';
import type { SpoolerEvents } from './spooler.ts';
import { ageMs, verdictOf } from './wire.ts';
import type { CompletionAck, HeldJobReport, JobCompletion, JobEmit } from './wire.ts';

export const SPOOL_AFTER_MS = 1000;
const SPOOL_SWEEP_MS = 500;
export const MAX_UNACKED = 8192;

const TERMINAL = {
  succeeded: State.succeeded,
  retryable: State.failed,
  fatal: State.failed,
  canceled: State.canceled,
  timed_out: State.expired,
} as const satisfies Record<JobResult['verdict'], StateCode>;

export function isVerdict(word: string): word is JobResult['verdict'] {
  return Object.hasOwn(TERMINAL, word);
}

/** A completion and what is needed to send it again. */
export class UnackedCompletion {
  readonly jobId: string;
  readonly token: string;
  readonly result: JobResult;
  readonly startedAt: number;
  readonly finishedAt: number;
  /** Emits of this claim: sent again before the completion, because the wire has no ack for them. */
  readonly emits: readonly JobEmit[];
  readonly bytes: number;
  /** On disk, or on its way there. */
  spooled = false;

  constructor(about: {
    jobId: string;
    token: string;
    result: JobResult;
    startedAt: number;
    finishedAt: number;
    emits: readonly JobEmit[];
  }) {
    this.jobId = about.jobId;
    this.token = about.token;
    this.result = about.result;
    this.startedAt = about.startedAt;
    this.finishedAt = about.finishedAt;
    this.emits = about.emits;
    this.bytes = (about.result.outputJson.length + about.result.message.length) * 3;
  }

  get key(): string {
    return `${this.jobId} ${this.token}`;
  }

  /** The message, with ages as of `now`. */
  at(now: number): JobCompletion {
    const { result } = this;
    return {
      jobId: this.jobId,
      token: this.token,
      verdict: verdictOf(result.verdict),
      outputJson: result.outputJson,
      outcome:
        result.reason === '' && result.message === ''
          ? undefined
          : { reason: result.reason, message: result.message },
      runMs: result.runMs,
      startedAgeMs: ageMs(this.startedAt, now),
      blockedReason: result.blockedReason,
    };
  }

  heldReport(): HeldJobReport {
    return { jobId: this.jobId, token: this.token, state: TERMINAL[this.result.verdict] };
  }
}

/** Where completions survive the process. */
export interface CompletionSpool {
  load(): Promise<UnackedCompletion[]>;
  save(completion: UnackedCompletion): Promise<void>;
  remove(completion: UnackedCompletion): Promise<void>;
}

export class UnackedCompletions {
  readonly #now: () => number;
  readonly #spool: CompletionSpool | undefined;
  readonly #spooler: Spooler | undefined;
  readonly #connected: () => boolean;
  readonly #pending = new Map<string, UnackedCompletion>();
  readonly #emptied: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `connected`: what is said now reaches a coordinator. */
  constructor(options: {
    now: () => number;
    spool?: CompletionSpool;
    connected?: () => boolean;
    events?: SpoolerEvents;
  }) {
    const { now, spool, connected = () => true, events } = options;
    this.#now = now;
    this.#spool = spool;
    this.#connected = connected;
    if (spool !== undefined)
      this.#spooler = new Spooler({
        now,
        spool,
        wanted: ({ key }) => this.#pending.has(key),
        ...(events === undefined ? {} : { events }),
      });
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Too much waits for an ack (4). */
  get full(): boolean {
    return this.#pending.size >= MAX_UNACKED;
  }

  /** Takes up what an earlier process left behind. */
  async load(): Promise<number> {
    for (const completion of (await this.#spool?.load()) ?? []) this.#pending.set(completion.key, completion);
    return this.#pending.size;
  }

  add(completion: UnackedCompletion): void {
    this.#pending.set(completion.key, completion);
    if (this.#spooler === undefined) return;
    if (!this.#connected()) this.#spooler.save(completion);
    this.#timer ??= setTimeout(this.#sweep, SPOOL_SWEEP_MS).unref();
  }

  /** The session is over: nobody will acknowledge soon (3). */
  disconnected(): void {
    this.#spoolOlderThan(Number.POSITIVE_INFINITY);
  }

  /** The completion an ack was for; undefined when it is not, or no longer, here. */
  acknowledged(ack: Pick<CompletionAck, 'jobId' | 'token'>): UnackedCompletion | undefined {
    const key = `${ack.jobId} ${ack.token}`;
    const completion = this.#pending.get(key);
    if (completion === undefined) return undefined;
    this.#pending.delete(key);
    if (completion.spooled) this.#spooler?.remove(completion);
    if (this.#pending.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
    return completion;
  }

  find(jobId: string, token: string): UnackedCompletion | undefined {
    return this.#pending.get(`${jobId} ${token}`);
  }

  /** All of them, oldest first (2). */
  all(): IterableIterator<UnackedCompletion> {
    return this.#pending.values();
  }

  /** Resolves when none is left or `timeoutMs` have passed; true in the first case. */
  async whenEmpty(timeoutMs: number): Promise<boolean> {
    if (this.#pending.size === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => void this.#emptied.push(resolve)),
      new Promise<void>((resolve) => void (timer = setTimeout(resolve, timeoutMs))),
    ]);
    clearTimeout(timer);
    return this.#pending.size === 0;
  }

  /** Shutdown: what is still unconfirmed goes to disk (3). Resolves to the number that could not be kept. */
  async close(): Promise<number> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#spooler?.settled();
    this.#spooler?.retryNow();
    this.#spoolOlderThan(Number.POSITIVE_INFINITY);
    await this.#spooler?.settled();
    return [...this.#pending.values()].filter(({ spooled }) => !spooled).length;
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    this.#spoolOlderThan(this.#connected() ? this.#now() - SPOOL_AFTER_MS : Number.POSITIVE_INFINITY);
    if (this.#pending.size > 0) this.#timer = setTimeout(this.#sweep, SPOOL_SWEEP_MS).unref();
  };

  #spoolOlderThan(at: number): void {
    for (const completion of this.#pending.values()) {
      if (completion.finishedAt > at) break;
      if (!completion.spooled) this.#spooler?.save(completion);
    }
  }
}
