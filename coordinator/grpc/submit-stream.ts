/**
 * SubmitStream: batches of workflows in; acknowledgements and ends out, one message per event-loop turn.
 *
 * Invariants:
 * 1. Every item is acknowledged once; an end never travels before its acknowledgement.
 * 2. A repeated item of a workflow that has ended brings its end again.
 * 3. While the stream down is full, or too many items wait for the store or for their ends, nothing more is read.
 * 4. While it is full, ends are held up to a bound; of those beyond only the id is kept, and they are read from the store once
 *    there is room. A stream that stays full for too long ends with SLOW_READER.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type {
  SubmitItem__Output,
  SubmitStreamRequest__Output,
  SubmitStreamResponse__Output,
} from '../../proto/gen/index.ts';
import type { State__Output } from '../../proto/gen/index.ts';
import type { Plain, WorkflowHandlers } from '../../proto/gen/load.ts';
import { toServiceError } from '../../runtime/grpc-errors.ts';
import { asStoreError } from '../../runtime/redis/store-errors.ts';
import { PacedStream } from '../../runtime/paced-stream.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { workflowId } from '../queue/keys.ts';
import type { Plan } from '../workflow/plan.ts';
import type { WorkflowEnd } from '../workflow/results.ts';
import { EndWait } from './end-wait.ts';
import { MAX_REQUEST_ID } from './request-id.ts';
import { leavingError, slowReaderError } from './handling.ts';
import type { WorkflowServiceParts } from './workflow-parts.ts';

/** Items of one stream the store has not answered yet, at most. */
const MAX_PENDING = 4096;
/** Items of one stream whose ends are still to come, at most. */
const MAX_WAITS = 131_072;
/** Ends held while the stream is full, characters of their results. */
const MAX_HELD_CHARS = 8 * 1024 * 1024;
/** Ends read from the store at once when there is room again. */
const READ_AT_ONCE = 64;
/** Results one message carries at most, unless a single one is larger. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

type Results = NonNullable<Plain<SubmitStreamResponse__Output>['results']>[number][];
type Stream = ServerDuplexStream<SubmitStreamRequest__Output, Plain<SubmitStreamResponse__Output>>;

export function submitStream(parts: WorkflowServiceParts): WorkflowHandlers['submitStream'] {
  return (stream) => {
    try {
      const { tenant } = parts.frame.authenticate(stream.metadata);
      new SubmitSession(parts, stream, tenant).run();
    } catch (error) {
      stream.emit('error', toServiceError(error, parts.frame.log));
    }
  };
}

class SubmitSession {
  readonly #parts: WorkflowServiceParts;
  readonly #stream: Stream;
  readonly #tenant: string;
  #acks: NonNullable<Plain<SubmitStreamResponse__Output>['acks']>[number][] = [];
  #results: Results = [];
  readonly #waits = new Set<EndWait>();
  /** Characters of the results in #results. */
  #heldChars = 0;
  /** Invariant 4: ids of ended workflows, and the request id of each. */
  readonly #later: { readonly wid: string; readonly requestId: string }[] = [];
  readonly #down: PacedStream<Plain<SubmitStreamResponse__Output>>;
  /** Of these, being read. */
  #reading = 0;
  #pending = 0;
  #halfClosed = false;
  #closed = false;
  #scheduled = false;

  constructor(parts: WorkflowServiceParts, stream: Stream, tenant: string) {
    this.#parts = parts;
    this.#stream = stream;
    this.#tenant = tenant;
    this.#down = new PacedStream({
      stream,
      patienceMs: parts.frame.slowReaderMs,
      onRoom: () => this.#flush(),
      onStuck: () => this.#fail(slowReaderError()),
    });
  }

  run(): void {
    const stream = this.#stream;
    stream.on('data', (batch: SubmitStreamRequest__Output) => {
      for (const item of batch.items) {
        try {
          this.#take(item);
        } catch (error) {
          this.#refuse(item, error);
        }
      }
      this.#throttle();
    });
    stream.on('end', () => {
      this.#halfClosed = true;
      this.#schedule();
    });
    const { frame } = this.#parts;
    const leave = (): void => this.#fail(leavingError());
    frame.leaving.addEventListener('abort', leave, { once: true });
    const close = (): void => {
      frame.leaving.removeEventListener('abort', leave);
      this.#down.close();
      if (this.#closed) return;
      this.#closed = true;
      for (const wait of this.#waits) this.#giveUp(wait);
      this.#acks = [];
      this.#results = [];
      this.#later.length = 0;
    };
    stream.on('cancelled', close);
    stream.on('error', close);
    stream.on('close', close);
  }

  #fail(error: DibsError): void {
    if (!this.#closed) this.#stream.emit('error', toServiceError(error, this.#parts.frame.log));
  }

  #take(item: SubmitItem__Output): void {
    const { intake } = this.#parts;
    this.#pending++;
    if (item.requestId === '' || item.requestId.length > MAX_REQUEST_ID) {
      const message = `request_id must have 1 to ${MAX_REQUEST_ID} characters`;
      this.#refuse(item, new DibsError('INVALID_REQUEST', message));
      return;
    }
    const plan = intake.compileNow(this.#tenant, item.workflow);
    if (plan !== undefined) this.#submit(item, plan);
    else {
      intake.compile(this.#tenant, item.workflow).then(
        (late) => this.#submit(item, late),
        (error: unknown) => this.#refuse(item, error),
      );
    }
  }

  #submit(item: SubmitItem__Output, plan: Plan): void {
    if (this.#closed) return;
    const { intake, results } = this.#parts;
    // Before the submit: another coordinator's agent may end it before our acknowledgement is back.
    const wait = item.wantResult
      ? this.#await(intake.widOf(this.#tenant, item.requestId), item.requestId)
      : undefined;
    intake.submit(
      this.#tenant,
      item.requestId,
      plan,
      item.wantResult,
      ({ wid, duplicate }) => {
        this.#pending--;
        if (this.#closed) return;
        this.#acks.push({ requestId: item.requestId, workflowId: workflowId(wid), duplicate });
        wait?.acknowledge();
        if (wait !== undefined && duplicate) results.follow(wid).catch(() => {}); // the slow check finds it, too
        this.#schedule();
      },
      (error) => {
        if (wait !== undefined) this.#giveUp(wait);
        this.#refuse(item, error);
      },
    );
  }

  #refuse(item: SubmitItem__Output, error: unknown): void {
    this.#pending--;
    const refused = error instanceof DibsError ? error : toDibsError(error, this.#parts);
    this.#acks.push({
      requestId: item.requestId,
      error: {
        code: refused.code,
        reason: refused.reason,
        message: refused.message,
        violations: refused.problems.map(({ path, reason, message }) => ({ path, reason, message })),
      },
    });
    this.#schedule();
  }

  #await(wid: string, requestId: string, onEnd?: () => void): EndWait {
    const wait = new EndWait(wid, (end) => {
      onEnd?.();
      this.#waits.delete(wait);
      this.#ended(requestId, end);
    });
    this.#waits.add(wait);
    this.#parts.results.wait(wid, this.#tenant, wait.done);
    return wait;
  }

  #giveUp(wait: EndWait): void {
    this.#waits.delete(wait);
    this.#parts.results.forget(wait.wid, wait.done);
  }

  #ended(requestId: string, end: WorkflowEnd): void {
    if (this.#closed) return;
    if (this.#down.isFull && this.#heldChars > MAX_HELD_CHARS) {
      this.#later.push({ wid: end.wid, requestId });
      return;
    }
    this.#heldChars += end.resultJson.length;
    this.#results.push({
      requestId,
      workflowId: workflowId(end.wid),
      state: end.state as State__Output,
      outcome: { reason: end.reason, message: end.message },
      resultJson: end.resultJson,
      sequence: end.sequence,
    });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#down.isFull || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed) return;
    if (this.#acks.length + this.#results.length > 0) {
      const before = this.#heldChars;
      const message = { acks: this.#acks, results: this.#takeResults() };
      this.#acks = [];
      this.#down.write(message, before - this.#heldChars);
    }
    this.#throttle();
    if (this.#results.length > 0) this.#schedule();
    else if (!this.#down.isFull) this.#readLater();
    const left = this.#results.length + this.#later.length + this.#pending + this.#waits.size;
    if (this.#halfClosed && left === 0) {
      this.#closed = true;
      this.#down.close();
      this.#stream.end();
    }
  }

  /** Invariant 4. What is read comes as any other end. */
  #readLater(): void {
    for (const { wid, requestId } of this.#later.splice(0, READ_AT_ONCE - this.#reading)) {
      this.#reading++;
      this.#await(wid, requestId, () => this.#reading--).acknowledge();
      this.#parts.results.check(wid);
    }
  }

  /** As many ends as one message should carry. */
  #takeResults(): Results {
    let bytes = 0;
    let count = 0;
    for (const { resultJson } of this.#results) {
      const size = resultJson?.length ?? 0;
      if (count > 0 && bytes + size > MESSAGE_BYTES) break;
      bytes += size;
      count++;
    }
    const taken = this.#results;
    this.#heldChars -= bytes;
    this.#results = count === taken.length ? [] : taken.splice(count);
    return taken;
  }

  #throttle(): void {
    const waits = this.#waits.size + this.#later.length;
    if (this.#down.isFull || this.#pending > MAX_PENDING || waits > MAX_WAITS) this.#stream.pause();
    else if (this.#stream.isPaused()) this.#stream.resume();
  }
}

function toDibsError(error: unknown, { frame }: WorkflowServiceParts): DibsError {
  // A repeat reads what is stored: Redis may be away there, too.
  const refusal = asStoreError(error);
  if (refusal instanceof DibsError) return refusal;
  const service = toServiceError(error, frame.log);
  return new DibsError('INTERNAL', service.details);
}
