/**
 * Channel and server options of every Dibs process, in one place because both ends must agree on them.
 *
 * Invariants: a dead peer is noticed within KEEPALIVE_TIME_MS + KEEPALIVE_TIMEOUT_MS on both sides, well inside the
 * 120 s lease; whatever a server may send, a client may receive.
 */
import type { ChannelOptions, ServerOptions } from '@grpc/grpc-js';

/** Largest message either side takes: batches of results of up to 1 MiB each. gRPC's own default is 4 MiB. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** A silent connection is pinged after this long. Most load balancers and NATs forget one after 60 s or more. */
export const KEEPALIVE_TIME_MS = 20_000;
/** A ping unanswered for this long ends the connection. */
export const KEEPALIVE_TIMEOUT_MS = 10_000;

/** First wait and cap between attempts of one channel to connect; the agent's link has its own, jittered, on top. */
export const INITIAL_RECONNECT_MS = 200;
export const MAX_RECONNECT_MS = 5_000;

/**
 * HTTP/2 window either side opens for what it receives: the default 64 KiB stalls a batch stream at every round trip.
 * grpc-js servers have no such option: server-windows.ts.
 */
export const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;

/** For agents and other long-lived clients: pings even when no call is under way. */
export const clientOptions: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': INITIAL_RECONNECT_MS,
  'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  // Retries belong to callers, who know which calls are idempotent.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
};

/** grpc-js servers answer pings of any frequency, with or without calls, so there is nothing to permit. */
export const serverOptions: ServerOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.enable_channelz': 0,
};
