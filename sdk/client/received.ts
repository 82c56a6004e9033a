/** A server stream as an async iterable. */
import type grpc from '@grpc/grpc-js';
import { fromServiceError } from '../../runtime/grpc-errors.ts';

/** The stream's messages; leaving the loop cancels the call, and failures are `DibsError` or the signal's reason. */
export async function* received<Message>(
  call: grpc.ClientReadableStream<Message>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Message, void, undefined> {
  const cancel = (): void => call.cancel();
  // Cancelling emits an error that nobody iterates for any more.
  call.on('error', () => undefined);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    yield* call as AsyncIterable<Message>;
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : fromServiceError(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}
