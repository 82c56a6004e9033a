/**
 * A way to a server that can be cut and be made deaf. One listener, one target, on loopback.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export class Proxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #inbound = new Set<Socket>();
  #deaf = false;

  private constructor(targetPort: number) {
    this.#server = createServer((inbound) => {
      const outbound = connect(targetPort, '127.0.0.1');
      this.#inbound.add(inbound);
      if (this.#deaf) inbound.pause();
      for (const [socket, other] of [
        [inbound, outbound],
        [outbound, inbound],
      ] as const) {
        this.#open.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => {});
        socket.on('data', (bytes: Buffer) => other.write(bytes));
        socket.on('close', () => {
          this.#open.delete(socket);
          this.#inbound.delete(inbound);
          other.destroy();
        });
      }
    });
  }

  static async to(targetPort: number): Promise<Proxy> {
    const proxy = new Proxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** What callers say from here on waits; answers still come. */
  deafen(): void {
    this.#deaf = true;
    for (const socket of this.#inbound) socket.pause();
  }

  hear(): void {
    this.#deaf = false;
    for (const socket of this.#inbound) socket.resume();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }
}
