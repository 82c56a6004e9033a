/**
 * Everything the agent has to say, batched: one message per event-loop turn; siblings: `unacked.ts` owns completions.
 *
 * 1. What is said in one turn goes out as one AgentMessage, unless it exceeds `MESSAGE_BYTES`; then in several.
 * 2. A full stream (`write` said false) is left alone until it drains; meanwhile things wait here.
 * 3. Progress keeps the latest per job and goes out at most every `PROGRESS_MS`. Chunks are bounded and dropped first.
 *    Completions, releases and emits are never dropped by the outbox.
 * 4. `detach` forgets what the next session's hello or resend says again: all but releases.
 * 5. Credits are asked for at the last moment, so they are true of the message that carries them.
 * 6. Ages are worked out when a message is written, not when a thing was said.
 */
import { ageMs } from './wire.ts';
import type {
  Condition,
  JobPreparing,
  Advertisement,
  DrainNotice,
  Heartbeat,
  JobChunk,
  JobEmit,
  JobProgress,
  JobRelease,
  Up,
} from './wire.ts';
import type { CreditsMessage } from '../claim/credits.ts';
import type { UnackedCompletion } from './unacked.ts';
import { Lane } from './lane.ts';

/** Where messages go. False = full: the outbox waits for `unblocked`. */
export interface Sink {
  write(message: Up): boolean;
}

/** A message is closed once it holds this much; a single larger item still travels, alone. */
const MESSAGE_BYTES = 1024 * 1024;
export const PROGRESS_MS = 200;
export const MAX_CHUNKS = 4096;
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/** Names, tokens and tags of one item; generous. */
const ITEM_BYTES = 96;

/** An accept or a start, with the agent's time of it (6). */
export interface TimedUpdate {
  readonly jobId: string;
  readonly token: string;
  readonly at: number;
  ageMs: number;
}

export interface OutboxStats {
  /** Chunks dropped because the stream was slow or away. */
  readonly droppedChunks: number;
  readonly messages: number;
}

export class Outbox {
  readonly #now: () => number;
  readonly #credits: () => CreditsMessage | undefined;
  #sink: Sink | undefined;
  #blocked = false;
  #scheduled = false;
  #progressTimer: NodeJS.Timeout | undefined;
  #progressAt = Number.NEGATIVE_INFINITY;

  readonly #accepted = new Lane<TimedUpdate>();
  readonly #started = new Lane<TimedUpdate>();
  readonly #released = new Lane<JobRelease>();
  readonly #chunks = new Lane<JobChunk>();
  readonly #emitted = new Lane<JobEmit>();
  readonly #completed = new Lane<UnackedCompletion>();
  #progress = new Map<string, JobProgress>();
  #heartbeat: Heartbeat | undefined;
  #advertisement: Advertisement | undefined;
  #condition: Condition | undefined;
  readonly #preparing = new Map<string, JobPreparing>();
  #drain: DrainNotice | undefined;
  #creditsWanted = false;
  #droppedChunks = 0;
  #messages = 0;

  constructor(options: { now: () => number; credits: () => CreditsMessage | undefined }) {
    this.#now = options.now;
    this.#credits = options.credits;
  }

  get stats(): OutboxStats {
    return { droppedChunks: this.#droppedChunks, messages: this.#messages };
  }

  /** True while nothing waits to be written. */
  get empty(): boolean {
    return this.#lanesEmpty() && this.#progress.size === 0 && !this.#hasSingles();
  }

  attach(sink: Sink): void {
    this.#sink = sink;
    this.#blocked = false;
    this.#creditsWanted = true;
    this.#schedule();
  }

  /** The stream is gone (4). */
  detach(): void {
    this.#sink = undefined;
    this.#accepted.clear();
    this.#started.clear();
    this.#chunks.clear();
    this.#emitted.clear();
    this.#completed.clear();
    this.#progress.clear();
    this.#heartbeat = undefined;
    this.#advertisement = undefined;
    this.#condition = undefined;
    this.#preparing.clear();
    this.#drain = undefined;
    clearTimeout(this.#progressTimer);
    this.#progressTimer = undefined;
  }

  /** The stream has drained (2). */
  unblocked(): void {
    this.#blocked = false;
    this.flush();
  }

  accepted(jobId: string, token: string, at: number): void {
    if (this.#sink === undefined) return;
    this.#accepted.push({ jobId, token, at, ageMs: 0 }, ITEM_BYTES);
    this.#schedule();
  }

  started(jobId: string, token: string, at: number): void {
    if (this.#sink === undefined) return;
    this.#started.push({ jobId, token, at, ageMs: 0 }, ITEM_BYTES);
    this.#schedule();
  }

  released(release: JobRelease): void {
    this.#released.push(release, ITEM_BYTES + (release.message?.length ?? 0) * 3);
    this.#schedule();
  }

  progress(progress: JobProgress & { readonly jobId: string }): void {
    if (this.#sink === undefined) return;
    this.#progress.set(progress.jobId, progress);
    const wait = this.#progressAt + PROGRESS_MS - this.#now();
    if (wait <= 0) this.#schedule();
    else this.#progressTimer ??= setTimeout(this.#progressDue, wait).unref();
  }

  chunk(chunk: JobChunk & { readonly data: string }): void {
    const bytes = ITEM_BYTES + chunk.data.length * 3;
    const full = this.#chunks.length >= MAX_CHUNKS || this.#chunks.bytes + bytes > MAX_CHUNK_BYTES;
    if (this.#sink === undefined || full) {
      this.#droppedChunks += 1;
      return;
    }
    this.#chunks.push(chunk, bytes);
    this.#schedule();
  }

  emitted(emit: JobEmit, bytes: number): void {
    if (this.#sink === undefined) return;
    this.#emitted.push(emit, ITEM_BYTES + bytes);
    this.#schedule();
  }

  completed(completion: UnackedCompletion): void {
    if (this.#sink === undefined) return;
    this.#completed.push(completion, ITEM_BYTES + completion.bytes);
    this.#schedule();
  }

  heartbeat(heartbeat: Heartbeat): void {
    this.#heartbeat = heartbeat;
    this.#schedule();
  }

  advertise(advertisement: Advertisement): void {
    this.#advertisement = advertisement;
    this.#schedule();
  }

  condition(condition: Condition): void {
    this.#condition = condition;
    this.#schedule();
  }

  /** Of each job the newest word. */
  preparing(preparing: JobPreparing & { readonly jobId: string }): void {
    if (this.#sink === undefined) return;
    this.#preparing.set(preparing.jobId, preparing);
    this.#schedule();
  }

  drain(drain: DrainNotice): void {
    this.#drain = drain;
    this.#schedule();
  }

  /** Slots have changed: credits may be news. */
  creditsChanged(): void {
    this.#creditsWanted = true;
    this.#schedule();
  }

  /** Writes now what there is, as far as the stream takes it (1, 2). */
  readonly flush = (): void => {
    this.#scheduled = false;
    while (this.#sink !== undefined && !this.#blocked) {
      const message = this.#next();
      if (message === undefined) return;
      this.#messages += 1;
      this.#blocked = !this.#sink.write(message);
    }
  };

  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#sink === undefined) return;
    this.#scheduled = true;
    setImmediate(this.flush);
  }

  readonly #progressDue = (): void => {
    this.#progressTimer = undefined;
    this.#schedule();
  };

  #next(): Up | undefined {
    const now = this.#now();
    const credits = this.#creditsWanted ? this.#credits() : undefined;
    this.#creditsWanted = false;
    const progressDue = this.#progress.size > 0 && now >= this.#progressAt + PROGRESS_MS;
    if (credits === undefined && !progressDue && this.#lanesEmpty() && !this.#hasSingles()) return undefined;

    // Emits before completions: a job's last emit must be stored before the job ends.
    const budget = { bytes: MESSAGE_BYTES };
    const emitted = this.#emitted.take(budget);
    const released = this.#released.take(budget);
    const accepted = this.#accepted.take(budget);
    const started = this.#started.take(budget);
    const completed = this.#emitted.length === 0 ? this.#completed.take(budget) : [];
    const chunks = this.#chunks.take(budget);
    for (const update of accepted) update.ageMs = ageMs(update.at, now);
    for (const update of started) update.ageMs = ageMs(update.at, now);
    const message: Up = {
      credits,
      accepted,
      released,
      started,
      progress: progressDue ? [...this.#progress.values()] : [],
      chunks,
      completed: completed.map((each) => each.at(now)),
      emitted,
      heartbeat: this.#heartbeat,
      drain: this.#drain,
      advertisement: this.#advertisement,
      condition: this.#condition,
      preparing: [...this.#preparing.values()],
    };
    if (progressDue) {
      this.#progress.clear();
      this.#progressAt = now;
    }
    this.#heartbeat = undefined;
    this.#drain = undefined;
    this.#advertisement = undefined;
    this.#condition = undefined;
    this.#preparing.clear();
    return message;
  }

  #lanesEmpty(): boolean {
    return (
      this.#completed.length === 0 &&
      this.#accepted.length === 0 &&
      this.#started.length === 0 &&
      this.#released.length === 0 &&
      this.#chunks.length === 0 &&
      this.#emitted.length === 0
    );
  }

  #hasSingles(): boolean {
    return (
      this.#heartbeat !== undefined ||
      this.#drain !== undefined ||
      this.#advertisement !== undefined ||
      this.#condition !== undefined ||
      this.#preparing.size > 0
    );
  }
}
