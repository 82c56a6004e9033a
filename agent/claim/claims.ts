/**
 * The claim loop: offers in, admitted jobs to the executor host, completions out. Siblings: `admission.ts` decides,
 * `slots.ts` counts, `local-queue.ts` orders, `announcer.ts` and `job-reports.ts` say what happens, `credits.ts` asks
 * for more.
 *
 * 1. Every offer is answered: by accept, release or completion. A repeated offer is not a new job.
 * 2. A slot is given back exactly once, when the executor's promise resolves, even when the job was lost before.
 * 3. A cancel concerns one claim: job and token must both match; anything else is ignored.
 * 4. After a job was lost or handed back nothing more is said about it; its late result is wasted work, and logged.
 * 5. Nothing here waits: one offer costs no timer and one closure.
 */
import type { ExecutorDescription, JobHost, JobResult } from '../jobs/contract.ts';
import type { HostLog as Log } from '../jobs/log.ts';
import type { Outbox } from '../link/outbox.ts';
import { UnackedCompletion } from '../link/unacked.ts';
import type { UnackedCompletions } from '../link/unacked.ts';
import { cancelReasonOf } from '../link/wire.ts';
import type { CancelJob, CompletionAck, EmitAck, HeldJobReport, Offer, Welcome } from '../link/wire.ts';
import type { ThroughputTally } from '../../sdk/common/throughput-tally.ts';
import { admit } from './admission.ts';
import type { Refusal } from './admission.ts';
import { aheadOf } from './ahead.ts';
import type { Prefetch } from './ahead.ts';
import { Announcer } from './announcer.ts';
import { canceledUnstarted, oversized } from './results.ts';
import type { CreditBook, CreditsMessage } from './credits.ts';
import { HeldJob } from './held-job.ts';
import { JobReports } from './job-reports.ts';
import { LocalQueue } from './local-queue.ts';
import type { Slots } from './slots.ts';

/** The queue ahead is sized anew after the first success of a type and then after every 16th. */
const RESIZE_MASK = 15;
const NO_GPUS: readonly string[] = [];

export interface ClaimsOptions {
  readonly slots: Slots;
  readonly credits: CreditBook;
  readonly host: Pick<JobHost, 'run'>;
  /** Those that are offered. */
  readonly executors: readonly ExecutorDescription[];
  readonly outbox: Outbox;
  readonly unacked: UnackedCompletions;
  readonly tally: ThroughputTally;
  readonly prefetch: Prefetch;
  readonly log: Log;
  readonly now: () => number;
}

export interface ClaimCounts {
  readonly offered: number;
  readonly refused: number;
  readonly finished: number;
  readonly wasted: number;
}

export class Claims {
  readonly #o: ClaimsOptions;
  readonly #executors: ReadonlyMap<string, ExecutorDescription>;
  readonly #held = new Map<string, HeldJob>();
  readonly #queue = new LocalQueue();
  readonly #announcer: Announcer;
  readonly #reports: JobReports;
  readonly #idleWaiters: (() => void)[] = [];
  #draining = false;
  #paused = false;
  #maxOutputBytes = Number.POSITIVE_INFINITY;
  #counts = { offered: 0, refused: 0, finished: 0, wasted: 0 };
  #idleSince: number;

  constructor(options: ClaimsOptions) {
    this.#o = options;
    this.#executors = new Map(options.executors.map((executor) => [executor.type, executor]));
    this.#reports = new JobReports(options.outbox, options.now);
    this.#announcer = new Announcer((job) => this.#reports.announce(job));
    this.#idleSince = options.now();
    for (const [type, executor] of this.#executors)
      options.slots.setAhead(type, aheadOf(options.prefetch, executor, undefined));
  }

  get counts(): ClaimCounts {
    return this.#counts;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** Agent's time since which it holds nothing; undefined while it holds something. */
  get idleSince(): number | undefined {
    return this.#held.size === 0 ? this.#idleSince : undefined;
  }

  /** Why no work is taken; undefined = open. */
  get closed(): 'draining' | 'paused' | undefined {
    return this.#draining ? 'draining' : this.#paused ? 'paused' : undefined;
  }

  /** For the outbox: the standing claim, when there is news. */
  nextCredits(): CreditsMessage | undefined {
    return this.#o.credits.next(this.#o.slots, this.closed === undefined && !this.#o.unacked.full);
  }

  heldReports(): HeldJobReport[] {
    const reports: HeldJobReport[] = [];
    for (const job of this.#held.values()) reports.push(job.heldReport());
    for (const completion of this.#o.unacked.all()) reports.push(completion.heldReport());
    return reports;
  }

  // What the coordinator says.

  offers(offers: readonly Offer[]): void {
    for (const offer of offers) {
      this.#o.credits.sawOffer(offer.type);
      this.#counts.offered += 1;
      if (!this.#isRepeat(offer)) this.#take(offer);
    }
    this.#pump();
    this.#o.outbox.creditsChanged();
  }

  cancels(cancels: readonly CancelJob[]): void {
    for (const cancel of cancels) {
      const job = this.#held.get(cancel.jobId);
      if (job === undefined || job.token !== cancel.token) continue; // 3
      this.#cancel(job, cancel.reason);
    }
  }

  acks(acks: readonly CompletionAck[]): void {
    const wasFull = this.#o.unacked.full;
    for (const ack of acks) {
      const completion = this.#o.unacked.acknowledged(ack);
      if (completion === undefined || ack.refused === '') continue;
      this.#wasted(ack.jobId, completion.result, ack.refused);
    }
    if (wasFull) this.#o.outbox.creditsChanged();
  }

  emitAcks(acks: readonly EmitAck[]): void {
    for (const ack of acks) this.#reports.emitAcknowledged(ack, this.#held.get(ack.jobId));
  }

  /** A session begins: the coordinator says which jobs are still ours; we repeat what it may have missed. */
  live(welcome: Welcome): void {
    this.#o.credits.reset();
    this.#maxOutputBytes = welcome.maxOutputBytes === 0 ? Number.POSITIVE_INFINITY : welcome.maxOutputBytes;
    const confirmed = new Set(welcome.confirmedJobIds);
    for (const job of this.#held.values()) {
      if (!confirmed.has(job.jobId)) this.#lose(job, 'the coordinator does not know it as ours');
      else {
        this.#reports.announce(job);
        this.#reports.repeatEmits(job.emits ?? []);
      }
    }
    // Also those the coordinator calls lost: only an ack tells a result that is stored already from one that is wasted.
    for (const completion of this.#o.unacked.all()) {
      this.#reports.repeatEmits(completion.emits);
      this.#o.outbox.completed(completion);
    }
    this.#pump();
    this.#o.outbox.creditsChanged();
  }

  // What the agent decides.

  pause(paused: boolean): void {
    this.#paused = paused;
    this.#o.outbox.creditsChanged();
  }

  /** One step type is asked for no more, or again; false = this agent does not run it. */
  pauseType(type: string, paused: boolean): boolean {
    if (!this.#o.slots.knows(type)) return false;
    this.#o.slots.pauseType(type, paused);
    this.#o.outbox.creditsChanged();
    return true;
  }

  /** Memory has been given back elsewhere, or another GPU has come. */
  memoryChanged(): void {
    this.#pump();
    this.#o.outbox.creditsChanged();
  }

  /** Claims no more; what has not started goes back at once, what runs goes on. */
  drain(): void {
    this.#draining = true;
    for (const job of this.#queue.all())
      this.#giveBack(job, { reason: 'DRAINING', message: 'The agent leaves before it could start.' });
    this.#o.outbox.creditsChanged();
  }

  /** Stops every job and releases every lease now. */
  handBack(refusal: Refusal): void {
    for (const job of [...this.#held.values()]) this.#giveBack(job, refusal);
  }

  /** Jobs that have not started are taken as lost. */
  dropWaiting(why: string): void {
    for (const job of this.#queue.all()) this.#lose(job, why);
  }

  /** Resolves when nothing is held. */
  async whenIdle(): Promise<void> {
    if (this.#held.size > 0) await new Promise<void>((resolve) => void this.#idleWaiters.push(resolve));
  }

  stop(): void {
    this.#announcer.stop();
  }

  // Inside.

  #isRepeat(offer: Offer): boolean {
    const held = this.#held.get(offer.jobId);
    if (held?.token === offer.token) return true;
    // A new token for a job we hold: the old claim is dead.
    if (held !== undefined) this.#lose(held, 'the job was claimed anew');
    const done = this.#o.unacked.find(offer.jobId, offer.token);
    if (done === undefined) return false;
    this.#o.outbox.completed(done);
    return true;
  }

  #take(offer: Offer): void {
    const { slots, unacked, outbox, log, now } = this.#o;
    const refusal = admit(offer, { slots, closed: this.closed, resultsFull: unacked.full });
    if (refusal !== undefined) {
      this.#counts.refused += 1;
      log.debug({ jobId: offer.jobId, capability: offer.type, reason: refusal.reason }, 'offer refused');
      outbox.released({ jobId: offer.jobId, token: offer.token, ...refusal });
      return;
    }
    const job = new HeldJob(offer, now(), this.#reports);
    slots.hold(offer.type);
    this.#held.set(offer.jobId, job);
    this.#queue.add(job);
    this.#announcer.add(job);
  }

  #pump(): void {
    for (;;) {
      const job = this.#queue.takeRunnable(this.#o.slots);
      if (job === undefined) return;
      job.placement = this.#o.slots.run(job.offer.type);
      job.phase = 'preparing';
      const gpus = job.placement?.gpus ?? NO_GPUS;
      job.running = this.#o.host.run(gpus.length === 0 ? job.offer : { ...job.offer, gpus }, job);
      void job.running.done.then((result) => this.#finished(job, result));
    }
  }

  #finished(job: HeldJob, result: JobResult): void {
    const { slots, outbox } = this.#o;
    slots.release(job.offer.type, 'running', job.placement); // 2
    if (job.phase === 'over') this.#wasted(job.jobId, result, 'LEASE_LOST');
    else {
      this.#forget(job);
      if (result.verdict === 'succeeded') this.#count(job, result);
      this.#complete(job, oversized(result, this.#maxOutputBytes) ?? result);
    }
    this.#pump();
    outbox.creditsChanged();
  }

  #complete(job: HeldJob, result: JobResult): void {
    const { now, unacked, outbox } = this.#o;
    this.#counts.finished += 1;
    const finishedAt = now();
    const completion = new UnackedCompletion({
      jobId: job.jobId,
      token: job.token,
      result,
      startedAt: job.startedAt === 0 ? finishedAt : job.startedAt,
      finishedAt,
      emits: job.emits ?? [],
    });
    unacked.add(completion);
    outbox.completed(completion);
  }

  #count(job: HeldJob, result: JobResult): void {
    const { tally, slots, prefetch } = this.#o;
    const { type, cost } = job.offer;
    const count = tally.add(type, cost, result.runMs);
    if ((count & RESIZE_MASK) !== 1) return;
    const executor = this.#executors.get(type);
    if (executor !== undefined) slots.setAhead(type, aheadOf(prefetch, executor, tally.meanRunMs(type)));
  }

  #cancel(job: HeldJob, word: string): void {
    const reason = cancelReasonOf(word);
    if (reason === 'lease_lost') this.#lose(job, 'the coordinator says so');
    else if (job.running !== undefined) job.running.cancel(reason);
    else {
      this.#unqueue(job);
      this.#complete(job, canceledUnstarted(reason));
    }
  }

  /** The claim is over without a word from us (4). */
  #lose(job: HeldJob, why: string): void {
    this.#o.log.warn(
      { jobId: job.jobId, capability: job.offer.type, reason: why },
      'lease lost; the job is stopped',
    );
    this.#drop(job, 'lease_lost');
  }

  #giveBack(job: HeldJob, refusal: Refusal): void {
    this.#o.outbox.released({ jobId: job.jobId, token: job.token, ...refusal });
    this.#drop(job, 'shutdown');
  }

  #drop(job: HeldJob, reason: 'lease_lost' | 'shutdown'): void {
    if (job.running === undefined) this.#unqueue(job);
    else {
      this.#forget(job);
      job.running.cancel(reason);
    }
  }

  #unqueue(job: HeldJob): void {
    this.#queue.remove(job);
    this.#o.slots.release(job.offer.type, 'waiting');
    this.#forget(job);
    this.#o.outbox.creditsChanged();
  }

  #forget(job: HeldJob): void {
    job.phase = 'over';
    this.#reports.over(job);
    if (this.#held.get(job.jobId) === job) this.#held.delete(job.jobId);
    if (this.#held.size > 0) return;
    this.#idleSince = this.#o.now();
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #wasted(jobId: string, result: JobResult, reason: string): void {
    this.#counts.wasted += 1;
    this.#o.log.warn(
      { jobId, reason, durationMs: result.runMs, verdict: result.verdict },
      'result refused; the work was wasted',
    );
  }
}
