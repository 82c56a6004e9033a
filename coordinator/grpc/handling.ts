/**
 * The frame of every handler: authenticate, call, answer; refusals become statuses with details.
 *
 * Invariant: a server stream holds one message that is not on its way; its body waits until that one is taken, and is ended
 * when that takes too long.
 */
import type * as grpc from '@grpc/grpc-js';
import { DibsError } from '../../sdk/common/errors.ts';
import { toServiceError } from '../../runtime/grpc-errors.ts';
import type { ErrorLog } from '../../runtime/grpc-errors.ts';
import type { Authenticate, Caller } from './caller.ts';

export interface Frame {
  readonly authenticate: Authenticate;
  readonly log: ErrorLog;
  /** Aborted when the coordinator leaves: streams end with DRAINING, so that clients go on elsewhere. */
  readonly leaving: AbortSignal;
  /** A stream whose reader takes nothing for this long ends with SLOW_READER, milliseconds. */
  readonly slowReaderMs: number;
}

export function slowReaderError(): DibsError {
  return new DibsError('SLOW_READER', 'Nothing was read from this stream for too long.', { retryAfterMs: 0 });
}

export function leavingError(): DibsError {
  return new DibsError('DRAINING', 'This coordinator is leaving; ask another.', { retryAfterMs: 0 });
}

/** A unary handler from a function that returns the response or throws. */
export function unary<Request, Response>(
  frame: Frame,
  body: (request: Request, caller: Caller) => Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => body(call.request, frame.authenticate(call.metadata)))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(toServiceError(error, frame.log)),
      );
  };
}

/** A server-stream handler from an async body; the signal aborts when the caller leaves. */
export function serverStream<Request, Response>(
  frame: Frame,
  body: (
    request: Request,
    caller: Caller,
    write: (response: Response) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>,
): grpc.handleServerStreamingCall<Request, Response> {
  return (call) => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    call.on('error', () => gone.abort());
    call.on('close', () => gone.abort());
    const end = (why: DibsError): void => {
      if (gone.signal.aborted) return;
      call.emit('error', toServiceError(why, frame.log));
      gone.abort();
    };
    const leave = (): void => end(leavingError());
    frame.leaving.addEventListener('abort', leave, { once: true });
    gone.signal.addEventListener('abort', () => frame.leaving.removeEventListener('abort', leave), {
      once: true,
    });
    const write = (response: Response): Promise<void> =>
      new Promise((resolve) => {
        if (gone.signal.aborted) return resolve();
        const timer = setTimeout(() => end(slowReaderError()), frame.slowReaderMs);
        const proceed = (): void => {
          clearTimeout(timer);
          gone.signal.removeEventListener('abort', proceed);
          resolve();
        };
        gone.signal.addEventListener('abort', proceed);
        call.write(response, proceed);
      });
    Promise.resolve()
      .then(() => body(call.request, frame.authenticate(call.metadata), write, gone.signal))
      .then(
        () => {
          if (!gone.signal.aborted) call.end();
          gone.abort();
        },
        (error: unknown) => {
          if (!gone.signal.aborted) call.emit('error', toServiceError(error, frame.log));
          gone.abort();
        },
      );
  };
}
