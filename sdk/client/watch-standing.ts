/**
 * Follows where jobs stand, and all queues, over any number of connections.
 *
 * Invariant: after a reconnect everything is told anew; the watch of jobs ends when all of them have.
 */
import type grpc from '@grpc/grpc-js';
import type { WatchPositionResponse__Output, WatchQueuesResponse__Output } from '../../proto/gen/index.ts';
import type { Connection, Endpoint } from './connection.ts';
import { DibsError } from './errors.ts';
import { isTerminalStatus } from './events.ts';
import { pause } from './pause.ts';
import { readQueue, readStanding } from './read-views.ts';
import { received } from './received.ts';
import { Patience } from './reconnect.ts';
import type { QueueView, StandingView } from './views.ts';

export interface WatchStandingOptions {
  /** Ends the watch; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What queues changed, and the fleet. */
export interface QueuesChanged {
  readonly queues: readonly QueueView[];
  readonly fleet: {
    readonly agentsConnected: number;
    readonly agentsQuarantined: number;
    readonly agentsPaused: number;
    readonly slots: number;
    readonly held: number;
  };
}

/** Jobs whose standing changed; all of them first. */
export async function* watchPosition(
  connection: Connection,
  jobIds: readonly string[],
  { signal }: WatchStandingOptions = {},
): AsyncGenerator<readonly StandingView[], void, undefined> {
  const left = new Set(jobIds);
  if (left.size === 0) return;
  const open = ({ workflows }: Endpoint): grpc.ClientReadableStream<WatchPositionResponse__Output> =>
    workflows.watchPosition({ jobIds: [...left] }, connection.metadata);
  for await (const { jobs } of followed(connection, open, () => left.size === 0, signal)) {
    const standings = jobs.map(readStanding);
    for (const { jobId, status } of standings) if (isTerminalStatus(status)) left.delete(jobId);
    yield standings;
    if (left.size === 0) return;
  }
}

/** All queues first, then those that change. Never ends by itself. */
export async function* watchQueues(
  connection: Connection,
  { signal }: WatchStandingOptions = {},
): AsyncGenerator<QueuesChanged, void, undefined> {
  const open = ({ operator }: Endpoint): grpc.ClientReadableStream<WatchQueuesResponse__Output> =>
    operator.watchQueues({}, connection.metadata);
  for await (const { queues, fleet } of followed(connection, open, () => false, signal)) {
    yield {
      queues: queues.map(readQueue),
      fleet: fleet ?? { agentsConnected: 0, agentsQuarantined: 0, agentsPaused: 0, slots: 0, held: 0 },
    };
  }
}

async function* followed<Message>(
  connection: Connection,
  open: (endpoint: Endpoint) => grpc.ClientReadableStream<Message>,
  isOver: () => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Message, void, undefined> {
  const patience = new Patience(connection.options.reconnectMs);
  for (;;) {
    signal?.throwIfAborted();
    const endpoint = connection.endpoint();
    let failure: DibsError;
    try {
      for await (const message of received(open(endpoint), signal)) {
        patience.succeeded();
        yield message;
      }
      if (isOver()) return;
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
