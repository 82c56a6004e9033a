/**
 * One stream to one coordinator: dial, hello, welcome, messages both ways, end; `link.ts` decides when and where to.
 *
 * 1. `ended` is called exactly once, whatever happens, and nothing is called after it.
 * 2. A session that says nothing for `GREETING_MS` before welcome is given up.
 * 3. Each session has a connection of its own: a fresh attempt never waits in the backoff of an old channel.
 */
import { Metadata, connectivityState, status } from '@grpc/grpc-js';
import type { ChannelCredentials, ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import { agentService, makeClient } from '../../proto/gen/load.ts';
import type { AgentClient } from '../../proto/gen/load.ts';
import { clientOptions } from '../../runtime/grpc-options.ts';
import type { Sink } from './outbox.ts';
import type { Down, Hello, Up, Welcome } from './wire.ts';

/** Time for dialling, TLS, hello and welcome together. */
export const GREETING_MS = 10_000;

export interface SessionEnd {
  /** refused = the credential is not accepted; ended = the coordinator closed it in good order. */
  readonly kind: 'lost' | 'refused' | 'ended';
  readonly detail: string;
}

export interface SessionEvents {
  /** The channel is up. */
  opened(): void;
  welcomed(welcome: Welcome): void;
  /** Any later message. */
  message(down: Down): void;
  /** The other side takes no new calls on this connection (GOAWAY): the stream will not live long. */
  leaving(): void;
  /** The stream takes more after a write that returned false. */
  drained(): void;
  ended(end: SessionEnd): void;
}

export interface SessionOptions {
  readonly address: string;
  readonly credentials: ChannelCredentials;
  /** Bearer token; empty = none. */
  readonly token: string;
  readonly events: SessionEvents;
  readonly greetingMs?: number;
}

export class Session implements Sink {
  readonly address: string;
  readonly #client: AgentClient;
  readonly #call: ClientDuplexStream<Up, Down>;
  readonly #events: SessionEvents;
  #greeting: NodeJS.Timeout | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #welcomed = false;
  #over = false;

  constructor(options: SessionOptions) {
    this.address = options.address;
    this.#events = options.events;
    this.#client = makeClient(agentService, options.address, options.credentials, {
      ...clientOptions,
      'grpc.use_local_subchannel_pool': 1,
    });
    const metadata = new Metadata();
    if (options.token !== '') metadata.set('authorization', `Bearer ${options.token}`);
    this.#call = this.#client.session(metadata);
    this.#call.on('data', this.#onMessage);
    this.#call.on('drain', () => void (this.#over || this.#events.drained()));
    this.#call.on('status', this.#onStatus);
    // Every error comes as a status as well, which says more.
    this.#call.on('error', () => {});
    const greetingMs = options.greetingMs ?? GREETING_MS;
    this.#greeting = setTimeout(() => this.abort(`no welcome within ${greetingMs} ms`), greetingMs);
    this.#watchChannel();
  }

  greet(hello: Hello): void {
    this.#call.write({ hello });
  }

  write(message: Up): boolean {
    return this.#call.write(message);
  }

  /** Says no more; the coordinator ends the stream once it has read everything. */
  finish(): void {
    this.#call.end();
  }

  /** Ends it by force unless it has ended by then. */
  leaveWithin(ms: number): void {
    this.#leaving ??= setTimeout(() => this.abort(`not ended within ${ms} ms of leaving`), ms);
  }

  /** Ends it now. */
  abort(detail: string): void {
    this.#end({ kind: 'lost', detail });
    this.#call.cancel();
  }

  readonly #onMessage = (down: Down): void => {
    if (this.#over) return;
    if (this.#welcomed) {
      this.#events.message(down);
      return;
    }
    if (down.welcome === null) {
      this.abort('the first message was not welcome');
      return;
    }
    this.#welcomed = true;
    clearTimeout(this.#greeting);
    this.#events.welcomed(down.welcome);
    if (hasMore(down)) this.#events.message(down);
  };

  readonly #onStatus = (ended: StatusObject): void => {
    const refused = ended.code === status.UNAUTHENTICATED || ended.code === status.PERMISSION_DENIED;
    const name = status[ended.code] ?? String(ended.code);
    if (refused) this.#end({ kind: 'refused', detail: `${name}: ${ended.details}` });
    else if (ended.code === status.OK) this.#end({ kind: 'ended', detail: 'closed by the coordinator' });
    else this.#end({ kind: 'lost', detail: `${name}: ${ended.details}` });
  };

  #end(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#greeting);
    clearTimeout(this.#leaving);
    this.#events.ended(end);
    // Not before the status has been read: closing the channel under a call hides why it ended.
    setImmediate(() => this.#client.close());
  }

  #watchChannel(): void {
    const channel = this.#client.getChannel();
    let ready = false;
    const watch = (): void => {
      if (this.#over) return;
      const state = channel.getConnectivityState(!ready);
      if (state === connectivityState.SHUTDOWN) return;
      if (ready) {
        this.#events.leaving();
        return;
      }
      ready = state === connectivityState.READY;
      if (ready) this.#events.opened();
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, watch);
    };
    watch();
  }
}

/** A coordinator may put the first offers into the message that carries welcome. */
function hasMore(down: Down): boolean {
  return (
    down.offers.length > 0 ||
    down.acks.length > 0 ||
    down.cancels.length > 0 ||
    down.drain ||
    down.control !== null
  );
}
