/**
 * The hot path of submitting: one bidi stream kept alive, everything said in one turn sent as batches.
 *
 * `submit-stream.ts` puts promises on it, `submit-many.ts` an async iterable.
 *
 * Invariants:
 * 1. An entry leaves `#open` when it is settled: refused, abandoned, acknowledged (no result wanted) or ended
 *    (result wanted).
 * 2. On a new stream everything in `#open` is sent again with the request id it had, in submission order; the server
 *    answers what it knows already as a duplicate, with the result where that has come in the meantime.
 * 3. The owner hears of each entry's acknowledgement once and of its settlement once.
 * 4. No timer per entry: one for the stream (reconnect) and one for entries refused for now.
 */
import type grpc from '@grpc/grpc-js';
import type {
  SubmitAck__Output as SubmitAck,
  SubmitError__Output as SubmitError,
  SubmitStreamRequest__Output,
  SubmitStreamResponse__Output as Answers,
  TerminalResult__Output as TerminalResult,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { fromServiceError } from '../../runtime/grpc-errors.ts';
import type { Connection, Endpoint } from './connection.ts';
import { DibsError, isUnavailable } from './errors.ts';
import { Patience } from './reconnect.ts';
import { fromSubmitError } from './submit-error.ts';
import type { WireSpec } from './workflow-spec.ts';

export type { SubmitAck, TerminalResult };
type Stream = grpc.ClientDuplexStream<Plain<SubmitStreamRequest__Output>, Answers>;

/** Encoded as it is: its first three fields are those of `SubmitItem`. `tag` is the owner's. */
export interface Entry<Tag> {
  readonly requestId: string;
  readonly workflow: WireSpec;
  readonly wantResult: boolean;
  readonly tag: Tag;
  acked: boolean;
}

export interface LinkOwner<Tag> {
  acked(entry: Entry<Tag>, ack: SubmitAck): void;
  ended(entry: Entry<Tag>, result: TerminalResult): void;
  /** The coordinator refused this one. */
  refused(entry: Entry<Tag>, error: DibsError): void;
  /** The stream was refused, nobody was reached for too long, or the link was closed. */
  abandoned(entry: Entry<Tag>, error: Error): void;
}

/** Most items of one message. 256 keeps the server's turn short; larger gains nothing measurable. */
export const MAX_BATCH = 256;
/** A message stays below the 4 MiB that servers take by default, even if every character needs three bytes. */
const MAX_BATCH_CHARS = 1024 * 1024;

export class SubmitLink<Tag> {
  readonly #connection: Connection;
  readonly #owner: LinkOwner<Tag>;
  readonly #maxBatch: number;
  readonly #patience: Patience;
  readonly #storePatience: Patience;
  readonly #open = new Map<string, Entry<Tag>>();
  /** Not yet written to this stream. */
  #queue: Entry<Tag>[] = [];
  #stream: Stream | undefined;
  #flushPlanned = false;
  /** The stream's buffer is full: wait for its drain. */
  #full = false;
  #reconnectTimer: NodeJS.Timeout | undefined;
  /** Refused for now (the store is not reachable): sent again together. */
  #later: Entry<Tag>[] = [];
  #laterTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(connection: Connection, owner: LinkOwner<Tag>, maxBatch: number = MAX_BATCH) {
    this.#connection = connection;
    this.#owner = owner;
    this.#maxBatch = maxBatch;
    this.#patience = new Patience(connection.options.reconnectMs);
    this.#storePatience = new Patience(connection.options.reconnectMs);
  }

  /** Entries that are not settled. */
  get size(): number {
    return this.#open.size;
  }

  add(entry: Entry<Tag>): void {
    if (this.#closed) throw new Error('The submit stream is closed.');
    if (this.#open.has(entry.requestId)) {
      throw new TypeError(`The request id "${entry.requestId}" is already under way on this stream.`);
    }
    this.#open.set(entry.requestId, entry);
    this.#queue.push(entry);
    this.#planFlush();
  }

  /** Half-closes once nothing is open; open entries are abandoned for `reason`. Idempotent. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#reconnectTimer);
    this.#forgetLater();
    const stream = this.#stream;
    this.#stream = undefined;
    if (this.#open.size === 0) stream?.end();
    else stream?.cancel();
    this.#abandonAll(reason);
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed || this.#full || this.#queue.length === 0) return;
    if (this.#stream === undefined) {
      if (this.#reconnectTimer === undefined) this.#connect();
      return;
    }
    while (this.#queue.length > 0 && !this.#full) {
      this.#full = !this.#stream.write({ items: this.#nextBatch() });
    }
  }

  #nextBatch(): Entry<Tag>[] {
    const queue = this.#queue;
    let count = 0;
    let chars = 0;
    while (count < queue.length && count < this.#maxBatch) {
      chars += sizeOf((queue[count] as Entry<Tag>).workflow);
      if (count > 0 && chars > MAX_BATCH_CHARS) break;
      count += 1;
    }
    if (count < queue.length) return queue.splice(0, count);
    this.#queue = [];
    return queue;
  }

  #connect(): void {
    const endpoint = this.#connection.endpoint();
    const stream = endpoint.workflows.submitStream(this.#connection.metadata);
    this.#stream = stream;
    this.#full = false;
    this.#queue = [...this.#open.values()];
    this.#forgetLater();
    stream.on('data', (answers: Answers) => this.#receive(answers));
    stream.on('drain', () => {
      if (this.#stream !== stream) return;
      this.#full = false;
      this.#flush();
    });
    stream.on('error', (error: grpc.ServiceError) => this.#lost(stream, endpoint, fromServiceError(error)));
    stream.on('end', () => {
      // A failed call ends too, just before its error: let that one speak.
      setImmediate(() =>
        this.#lost(stream, endpoint, new DibsError('DRAINING', 'The coordinator closed the stream.')),
      );
    });
    this.#flush();
  }

  #receive(answers: Answers): void {
    this.#patience.succeeded();
    for (const ack of answers.acks) this.#acked(ack);
    for (const result of answers.results) {
      const entry = this.#open.get(result.requestId);
      if (entry === undefined || !entry.wantResult) continue;
      this.#open.delete(result.requestId);
      this.#owner.ended(entry, result);
    }
  }

  #acked(ack: SubmitAck): void {
    const entry = this.#open.get(ack.requestId);
    if (entry === undefined) return;
    if (ack.error !== null) return this.#refusedByServer(entry, ack.error);
    this.#storePatience.succeeded();
    if (!entry.wantResult) this.#open.delete(ack.requestId);
    if (entry.acked) return;
    entry.acked = true;
    this.#owner.acked(entry, ack);
  }

  #refusedByServer(entry: Entry<Tag>, wire: SubmitError): void {
    const error = fromSubmitError(wire);
    if (isUnavailable(error) && this.#planLater(error)) {
      this.#later.push(entry);
      return;
    }
    this.#open.delete(entry.requestId);
    this.#owner.refused(entry, error);
  }

  /** False when the store was away for too long. */
  #planLater(error: DibsError): boolean {
    if (this.#laterTimer !== undefined) return true;
    const waitMs = this.#storePatience.failed(error, Date.now(), Math.random());
    if (waitMs === undefined) return false;
    this.#laterTimer = setTimeout(() => this.#resendLater(), waitMs);
    return true;
  }

  #resendLater(): void {
    this.#queue.push(...this.#later);
    this.#forgetLater();
    this.#flush();
  }

  #lost(stream: Stream, endpoint: Endpoint, error: DibsError): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#full = false;
    stream.cancel();
    if (this.#connection.closed) return this.#abandonAll(error);
    this.#connection.moveOn(endpoint);
    if (this.#open.size === 0) return;
    const waitMs = this.#patience.failed(error, Date.now(), Math.random());
    if (waitMs === undefined) return this.#abandonAll(error);
    this.#reconnectTimer = setTimeout(() => {
      this.#reconnectTimer = undefined;
      this.#connect();
    }, waitMs);
  }

  #abandonAll(error: Error): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    this.#queue = [];
    this.#forgetLater();
    this.#patience.restart();
    this.#storePatience.restart();
    for (const entry of open) this.#owner.abandoned(entry, error);
  }

  #forgetLater(): void {
    clearTimeout(this.#laterTimer);
    this.#laterTimer = undefined;
    this.#later = [];
  }
}

/** Characters of the parts that can be large. */
function sizeOf(workflow: WireSpec): number {
  let chars = 256 + (workflow.argumentsJson?.length ?? 0) + (workflow.stateJson?.length ?? 0);
  chars += workflow.metadataJson?.length ?? 0;
  for (const step of workflow.steps ?? []) {
    chars +=
      64 +
      (step.inputJson?.length ?? 0) +
      (step.forEach?.itemsJson?.length ?? 0) +
      (step.metadataJson?.length ?? 0);
  }
  return chars;
}
