/**
 * What is said about a held job while it runs: accepted, started, progress, chunks, further jobs.
 *
 * 1. Accept and start are said together where both are due; a start before the accept waits for it.
 * 2. Emits are kept with the job until an ack names them: each session hears the others again, before the completion.
 * 3. The executor's promise of an emit settles once: stored, refused, or the job is over.
 */
import type { Outbox } from '../link/outbox.ts';
import type { EmitAck, JobEmit } from '../link/wire.ts';
import type { HeldJob, HeldJobPort } from './held-job.ts';

/** Most bytes of one emit: more would not fit a message next to other things. */
const MAX_EMIT_BYTES = 8 * 1024 * 1024;

export class JobReports implements HeldJobPort {
  readonly #outbox: Outbox;
  readonly #now: () => number;
  readonly #waiting = new Map<HeldJob, Map<number, PromiseWithResolvers<void>>>();

  constructor(outbox: Outbox, now: () => number) {
    this.#outbox = outbox;
    this.#now = now;
  }

  /** Says that the job is held, and that it runs where it does (1). */
  announce(job: HeldJob): void {
    job.announced = true;
    this.#outbox.accepted(job.jobId, job.token, this.#now());
    if (job.phase === 'processing') this.#outbox.started(job.jobId, job.token, job.startedAt);
  }

  started(job: HeldJob): void {
    job.phase = 'processing';
    job.startedAt = this.#now();
    if (job.announced) this.#outbox.started(job.jobId, job.token, job.startedAt);
  }

  progress(job: HeldJob, fraction: number, message: string): void {
    this.#outbox.progress({ jobId: job.jobId, token: job.token, fraction, message });
  }

  chunk(job: HeldJob, index: number, data: string): void {
    this.#outbox.chunk({ jobId: job.jobId, token: job.token, index, data });
  }

  emitJobs(job: HeldJob, batch: number, inputsJson: readonly string[]): Promise<void> {
    const bytes = bytesOf(inputsJson);
    if (bytes > MAX_EMIT_BYTES) {
      return Promise.reject(new Error(`emitJobs: ${bytes} bytes at once, at most ${MAX_EMIT_BYTES}`));
    }
    const emit = { jobId: job.jobId, token: job.token, batch, inputsJson };
    (job.emits ??= []).push(emit);
    this.#outbox.emitted(emit, bytes);
    const settled = Promise.withResolvers<void>();
    // An executor need not wait for it.
    settled.promise.catch(() => undefined);
    const waiting = this.#waiting.get(job);
    if (waiting === undefined) this.#waiting.set(job, new Map([[batch, settled]]));
    else waiting.set(batch, settled);
    return settled.promise;
  }

  emitAcknowledged(ack: EmitAck, job: HeldJob | undefined): void {
    if (job === undefined || job.token !== ack.token) return;
    job.emits = job.emits?.filter((emit) => emit.batch !== ack.batch);
    const waiting = this.#waiting.get(job);
    const settled = waiting?.get(ack.batch);
    if (waiting === undefined || settled === undefined) return;
    waiting.delete(ack.batch);
    if (waiting.size === 0) this.#waiting.delete(job);
    if (ack.refused === '') settled.resolve();
    else settled.reject(new Error(`emitJobs: refused (${ack.refused})`));
  }

  /** Nobody will hear of its emits any more (3). */
  over(job: HeldJob): void {
    const waiting = this.#waiting.get(job);
    if (waiting === undefined) return;
    this.#waiting.delete(job);
    for (const settled of waiting.values()) settled.reject(new Error(`job ${job.jobId} is over`));
  }

  /** For a new session (2). */
  repeatEmits(emits: readonly JobEmit[]): void {
    for (const emit of emits) this.#outbox.emitted(emit, bytesOf(emit.inputsJson ?? []));
  }
}

function bytesOf(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += text.length * 3 + 4;
  return bytes;
}
