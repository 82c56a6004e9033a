/**
 * Follows the event log of one workflow over any number of connections.
 *
 * Invariants: every event once and in order (a `resync` starts the count anew); the next connection begins after the
 * last event that was given out; it ends after the terminal event, whatever the stream does.
 */
import type { WatchWorkflowRequest__Output, WatchWorkflowResponse__Output } from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import type { Connection } from './connection.ts';
import { DibsError } from './errors.ts';
import { isTerminalEvent, isTerminalStatus, readEvent, readResync } from './events.ts';
import type { WatchEvent } from './events.ts';
import { pause } from './pause.ts';
import { received } from './received.ts';
import { Patience } from './reconnect.ts';
import { getWorkflow } from './workflow-calls.ts';

export interface WatchOptions {
  /** Go on after this event (`LogEvent.cursor`); default: from the first. */
  readonly afterCursor?: string;
  /** Where no cursor is at hand: after this sequence number. */
  readonly afterSequence?: number;
  /** Ends the watch; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

type Position = Pick<Plain<WatchWorkflowRequest__Output>, 'afterCursor' | 'afterSequence'>;

export async function* watchWorkflow(
  connection: Connection,
  workflowId: string,
  { afterCursor = '', afterSequence = 0, signal }: WatchOptions = {},
): AsyncGenerator<WatchEvent, void, undefined> {
  const patience = new Patience(connection.options.reconnectMs);
  let position: Position = { afterCursor, afterSequence };
  let seen = afterSequence;

  for (;;) {
    signal?.throwIfAborted();
    const endpoint = connection.endpoint();
    const call = endpoint.workflows.watchWorkflow({ workflowId, ...position }, connection.metadata);
    const messages = received(call, signal);
    let failure: DibsError;
    try {
      for await (const message of messages) {
        patience.succeeded();
        for (const event of readMessage(message)) {
          if (event.type === 'resync') {
            seen = event.workflow.sequence;
            position = { afterCursor: '', afterSequence: seen };
          } else {
            if (event.sequence <= seen) continue;
            seen = event.sequence;
            position = { afterCursor: event.cursor, afterSequence: 0 };
          }
          yield event;
          if (isTerminalEvent(event)) return;
        }
      }
      // Ended well without a terminal event: it lay before the position, or the coordinator is leaving.
      const { status } = await getWorkflow(connection, workflowId, { omitOutputs: true, signal });
      if (isTerminalStatus(status)) return;
      failure = new DibsError('DRAINING', 'The coordinator closed the stream.');
    } catch (error) {
      if (!(error instanceof DibsError)) throw error;
      failure = error;
    }
    const waitMs = patience.failed(failure, Date.now(), Math.random());
    if (waitMs === undefined || connection.closed) throw failure;
    connection.moveOn(endpoint);
    await pause(waitMs, signal);
  }
}

function* readMessage(message: WatchWorkflowResponse__Output): Generator<WatchEvent> {
  if (message.resync !== null) yield readResync(message.resync);
  for (const event of message.events) yield readEvent(event);
}
