/**
 * One unary call: deadline, retries where a repeat is harmless, and the error as a `DibsError`.
 *
 * Invariants: a call that is not idempotent is sent once; all attempts together stay within one deadline; after an
 * UNAVAILABLE the next attempt goes to the next address. A restarting coordinator is waited for; one that never answered
 * is given up after a second.
 */
import type grpc from '@grpc/grpc-js';
import { fromServiceError } from '../../runtime/grpc-errors.ts';
import { backoffMs } from './backoff.ts';
import type { Connection, Endpoint } from './connection.ts';
import { isUnavailable } from './errors.ts';
import { pause } from './pause.ts';

/** While no coordinator has ever answered: the address is likelier wrong than the coordinator away. */
const FIRST_ATTEMPTS = 4;

export interface CallOptions {
  /** Default: the client's `callTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CallPlan extends CallOptions {
  readonly idempotent: boolean;
}

/** Starts the call on an endpoint; the callback gets its answer. */
export type Start<Response> = (
  endpoint: Endpoint,
  options: grpc.CallOptions,
  callback: grpc.requestCallback<Response>,
) => grpc.ClientUnaryCall;

export async function callOnce<Response>(
  connection: Connection,
  start: Start<Response>,
  plan: CallPlan,
): Promise<Response> {
  const deadline = Date.now() + (plan.timeoutMs ?? connection.options.callTimeoutMs);
  for (let attempt = 0; ; attempt++) {
    plan.signal?.throwIfAborted();
    const endpoint = connection.endpoint();
    try {
      const response = await send(endpoint, start, deadline, plan.signal);
      connection.reached = true;
      return response;
    } catch (error) {
      if (!isUnavailable(error) || connection.closed) throw error;
      connection.moveOn(endpoint);
      const waitMs = Math.max(backoffMs(attempt, Math.random()), error.retryAfterMs ?? 0);
      const hopeless = !connection.reached && attempt + 1 >= FIRST_ATTEMPTS;
      const spent = hopeless || Date.now() + waitMs >= deadline;
      if (!plan.idempotent || spent) throw error;
      await pause(waitMs, plan.signal);
    }
  }
}

function send<Response>(
  endpoint: Endpoint,
  start: Start<Response>,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<Response> {
  return new Promise<Response>((resolve, reject) => {
    const abort = (): void => call.cancel();
    const call = start(endpoint, { deadline }, (error, response) => {
      signal?.removeEventListener('abort', abort);
      if (error === null) resolve(response as Response);
      else reject(signal?.aborted === true ? signal.reason : fromServiceError(error));
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}
