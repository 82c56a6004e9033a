/**
 * HTTP/2 windows of the servers in this process: as large as those of the clients (grpc-options.ts).
 *
 * A grpc-js server has no option for them. With the default of 64 KiB, for a stream and for all streams of a connection, an
 * agent 50 ms away sends 1.3 MB of results a second at most. So each connection is widened as its first stream arrives.
 * (On one machine it makes no difference that can be measured.)
 *
 * Invariant: where Node does not announce streams nothing happens, and all works at the default.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { FLOW_CONTROL_WINDOW_BYTES } from './grpc-options.ts';

const widened = new WeakSet<ServerHttp2Session>();
let subscribed = false;

/** Idempotent; for all HTTP/2 servers of this process, from now on. */
export function widenServerWindows(): void {
  if (subscribed) return;
  subscribed = true;
  subscribe('http2.server.stream.created', (message) => {
    const { session } = (message as { readonly stream: ServerHttp2Stream }).stream;
    if (session === undefined || session.destroyed || widened.has(session as ServerHttp2Session)) return;
    widened.add(session as ServerHttp2Session);
    session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
    session.settings({ initialWindowSize: FLOW_CONTROL_WINDOW_BYTES });
  });
}
