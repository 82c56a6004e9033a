/**
 * A TCP proxy whose traffic can be cut at a chosen moment or held back: the network between two processes of a fleet.
 *
 * 1. It copies bytes and reads nothing into them. Backpressure passes through both ways.
 * 2. A cut is a reset, towards both ends, unless it follows a request: the target then gets that request whole and the
 *    end of the stream behind it, so that it acts on what it has read; its answer goes nowhere.
 * 3. In a blackhole nothing passes, ends of connections included; what was held back is delivered afterwards.
 */
import { createServer, connect } from 'node:net';
import type { Server, Socket } from 'node:net';

/** Loopback port or path of a unix socket. */
export type Target = number | string;

type Armed = 'no' | 'before' | 'after';

interface Pair {
  readonly client: Socket;
  /** Undefined until the target is dialled: not in a blackhole. */
  upstream: Socket | undefined;
  /** An end went away in a blackhole. */
  over: boolean;
}

export class Proxy {
  readonly name: string;
  readonly #pairs = new Set<Pair>();
  #server: Server | undefined;
  #target: Target = 0;
  #armed: Armed = 'no';
  #black = false;

  constructor(name = 'proxy') {
    this.name = name;
  }

  get port(): number {
    const address = this.#server?.address();
    if (typeof address !== 'object' || address === null) throw new Error(`${this.name} does not listen.`);
    return address.port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Listens on a free port of `host`. */
  async start(target: Target, host = '127.0.0.1'): Promise<void> {
    this.#target = target;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    const listening = Promise.withResolvers<void>();
    server.once('error', listening.reject).listen(0, host, listening.resolve);
    await listening.promise;
    this.#server = server;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    this.cut();
    await closed;
  }

  /** Resets every connection now. */
  cut(): void {
    this.#armed = 'no';
    for (const pair of [...this.#pairs]) this.#reset(pair);
  }

  /** The next bytes of a client reach the target, and no answer comes back: all connections go. */
  cutAfterRequest(): void {
    this.#armed = 'after';
  }

  /** The next bytes of a client are dropped, and all connections go. */
  cutBeforeRequest(): void {
    this.#armed = 'before';
  }

  /** Takes back a cut that no request has set off; whether there was one. */
  disarm(): boolean {
    const armed = this.#armed !== 'no';
    this.#armed = 'no';
    return armed;
  }

  blackhole(on: boolean): void {
    this.#black = on;
    for (const pair of [...this.#pairs]) {
      if (on) for (const end of [pair.client, pair.upstream]) end?.pause();
      else if (pair.over) this.#reset(pair);
      else if (pair.upstream === undefined) this.#dial(pair);
      else for (const end of [pair.client, pair.upstream]) end.resume();
    }
  }

  #accept(client: Socket): void {
    const pair: Pair = { client, upstream: undefined, over: false };
    this.#pairs.add(pair);
    this.#watchEnd(pair, client);
    client.pause();
    if (!this.#black) this.#dial(pair);
  }

  #dial(pair: Pair): void {
    const { client } = pair;
    const upstream =
      typeof this.#target === 'number'
        ? connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
        : connect({ path: this.#target, allowHalfOpen: true });
    pair.upstream = upstream;
    this.#watchEnd(pair, upstream);
    client.on('data', (bytes) => {
      if (this.#armed === 'no') this.#copy(bytes, client, upstream);
      else this.#cutAt(pair, upstream, bytes);
    });
    upstream.on('data', (bytes) => this.#copy(bytes, upstream, client));
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    client.resume();
  }

  #copy(bytes: Buffer, from: Socket, to: Socket): void {
    if (to.write(bytes)) return;
    from.pause();
    to.once('drain', () => {
      if (!this.#black) from.resume();
    });
  }

  #cutAt(pair: Pair, upstream: Socket, bytes: Buffer): void {
    if (this.#armed === 'after') {
      this.#pairs.delete(pair);
      upstream.removeAllListeners('data').resume();
      upstream.end(bytes);
      pair.client.resetAndDestroy();
    }
    this.cut();
  }

  #watchEnd(pair: Pair, end: Socket): void {
    end.on('error', () => undefined);
    end.on('close', () => {
      if (!this.#pairs.has(pair)) return;
      const other = end === pair.client ? pair.upstream : pair.client;
      // Ended in order: the other end follows by itself.
      if (end.errored === null) {
        if (other?.destroyed !== false) this.#pairs.delete(pair);
      } else if (this.#black) pair.over = true;
      else this.#reset(pair);
    });
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.resetAndDestroy();
    // A unix socket knows no reset.
    if (typeof this.#target === 'number') pair.upstream?.resetAndDestroy();
    else pair.upstream?.destroy();
  }
}
