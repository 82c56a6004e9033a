/**
 * SubmitStream: batches of workflows in; acknowledgements and ends out, one message per event-loop turn.
 *
 * Invariants:
 * 1. Every item is acknowledged once; an end never travels before its acknowledgement.
 * 2. A repeated item of a workflow that has ended brings its end again.
 * 3. While the stream down is full, or too many items wait for the store, nothing more is read.
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
import { DibsError } from '../../sdk/common/errors.ts';
import { workflowId } from '../queue/keys.ts';
import type { Plan } from '../workflow/plan.ts';
import type { WorkflowEnd } from '../workflow/results.ts';
import { MAX_REQUEST_ID } from './request-id.ts';
import { leavingError } from './handling.ts';
import type { WorkflowServiceParts } from './workflow-parts.ts';

/** Items of one stream the store has not answered yet, at most. */
const MAX_PENDING = 4096;
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

/** The end somebody waits for; one that comes before the acknowledgement is held back until that is out. */
class Wait {
  readonly wid: string;
  readonly #tell: (end: WorkflowEnd) => void;
  #acknowledged = false;
  #early: WorkflowEnd | undefined;

  constructor(wid: string, tell: (end: WorkflowEnd) => void) {
    this.wid = wid;
    this.#tell = tell;
  }

  readonly done = (end: WorkflowEnd): void => {
    if (this.#acknowledged) this.#tell(end);
    else this.#early = end;
  };

  acknowledge(): void {
    this.#acknowledged = true;
    if (this.#early !== undefined) this.#tell(this.#early);
  }
}

class SubmitSession {
  readonly #parts: WorkflowServiceParts;
  readonly #stream: Stream;
  readonly #tenant: string;
  #acks: NonNullable<Plain<SubmitStreamResponse__Output>['acks']>[number][] = [];
  #results: Results = [];
  readonly #waits = new Set<Wait>();
  #pending = 0;
  #halfClosed = false;
  #closed = false;
  #scheduled = false;
  #full = false;

  constructor(parts: WorkflowServiceParts, stream: Stream, tenant: string) {
    this.#parts = parts;
    this.#stream = stream;
    this.#tenant = tenant;
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
    const leave = (): void => {
      if (this.#closed) return;
      stream.emit('error', toServiceError(leavingError(), frame.log));
    };
    frame.leaving.addEventListener('abort', leave, { once: true });
    const close = (): void => {
      frame.leaving.removeEventListener('abort', leave);
      if (this.#closed) return;
      this.#closed = true;
      for (const wait of this.#waits) this.#giveUp(wait);
    };
    stream.on('cancelled', close);
    stream.on('error', close);
    stream.on('close', close);
  }

  #take(item: SubmitItem__Output): void {
    const { intake } = this.#parts;
    this.#pending++;
    if (item.requestId === '' || item.requestId.length > MAX_REQUEST_ID) {
      const message = `request_id must have 1 to ${MAX_REQUEST_ID} characters`;
      this.#refuse(item, new DibsError('INVALID_REQUEST', message));
      return;
    }
    const plan = intake.compileNow(item.workflow);
    if (plan !== undefined) this.#submit(item, plan);
    else {
      intake.compile(item.workflow).then(
        (late) => this.#submit(item, late),
        (error: unknown) => this.#refuse(item, error),
      );
    }
  }

  #submit(item: SubmitItem__Output, plan: Plan): void {
    if (this.#closed) return;
    const { intake, results } = this.#parts;
    let wait: Wait | undefined;
    if (item.wantResult) {
      // Before the submit: another coordinator's agent may end it before our acknowledgement is back.
      const wid = intake.widOf(this.#tenant, item.requestId);
      const waiting = new Wait(wid, (end) => {
        this.#waits.delete(waiting);
        this.#ended(item.requestId, end);
      });
      wait = waiting;
      this.#waits.add(wait);
      results.wait(wid, this.#tenant, wait.done);
    }
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

  #giveUp(wait: Wait): void {
    this.#waits.delete(wait);
    this.#parts.results.forget(wait.wid, wait.done);
  }

  #ended(requestId: string, end: WorkflowEnd): void {
    if (this.#closed) return;
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
    if (this.#scheduled || this.#full || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed) return;
    if (this.#acks.length + this.#results.length > 0) {
      const message = { acks: this.#acks, results: this.#takeResults() };
      this.#acks = [];
      if (!this.#stream.write(message)) {
        this.#full = true;
        this.#stream.once('drain', () => {
          this.#full = false;
          this.#throttle();
          this.#schedule();
        });
      }
    }
    this.#throttle();
    if (this.#results.length > 0) this.#schedule();
    if (this.#halfClosed && this.#results.length === 0 && this.#pending === 0 && this.#waits.size === 0) {
      this.#closed = true;
      this.#stream.end();
    }
  }

  /** As many ends as one message should carry. */
  #takeResults(): Results {
    let bytes = 0;
    let count = 0;
    for (const { resultJson } of this.#results) {
      bytes += resultJson?.length ?? 0;
      if (count > 0 && bytes > MESSAGE_BYTES) break;
      count++;
    }
    const taken = this.#results;
    this.#results = count === taken.length ? [] : taken.splice(count);
    return taken;
  }

  #throttle(): void {
    if (this.#full || this.#pending > MAX_PENDING) this.#stream.pause();
    else if (this.#stream.isPaused()) this.#stream.resume();
  }
}

function toDibsError(error: unknown, { frame }: WorkflowServiceParts): DibsError {
  const service = toServiceError(error, frame.log);
  return new DibsError('INTERNAL', service.details);
}
