/**
 * What is asked over HTTP: `/metrics`, `/healthz` (the process lives), `/readyz` (it can serve).
 *
 * Invariants: metrics need the token where there is one, the two checks never do; nothing is read from a request but its first line
 * and that token; it stops with the coordinator, whoever is still connected.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bearerToken } from '../../runtime/auth.ts';
import { ConfigError } from '../../runtime/config-error.ts';

export interface HttpParts {
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Undefined = ready; else why not. */
  readonly notReady: () => Promise<string | undefined>;
  /** Whether a token may read the metrics. */
  readonly mayRead: (token: string | undefined) => boolean;
  readonly onError: (error: unknown) => void;
}

export class HttpServer {
  readonly #parts: HttpParts;
  readonly #server: Server;

  constructor(parts: HttpParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        parts.onError(error);
        say(response, 500, 'internal error\n');
      });
    });
  }

  /** The port it listens on. */
  listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException): void => {
        const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${error.code})`;
        reject(
          new ConfigError([
            `http-listen: ${host}:${port} ${why}; give another address, port 0 for a free one, or "off".`,
          ]),
        );
      };
      this.#server.once('error', refuse);
      this.#server.listen(port, host, () => {
        this.#server.off('error', refuse).on('error', this.#parts.onError);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0];
    const known = path === '/metrics' || path === '/healthz' || path === '/readyz';
    if (!known) return say(response, 404, 'not found; try /metrics, /healthz or /readyz\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return say(response, 405, 'method not allowed\n');
    }
    if (path === '/healthz') return say(response, 200, 'ok\n');
    if (path === '/readyz') {
      const why = await this.#parts.notReady();
      return say(response, why === undefined ? 200 : 503, `${why ?? 'ready'}\n`);
    }
    if (!this.#parts.mayRead(bearerToken(request.headers.authorization))) {
      response.setHeader('www-authenticate', 'Bearer');
      return say(response, 401, 'a token is needed: Authorization: Bearer <token>\n');
    }
    response.setHeader('content-type', this.#parts.metrics.contentType);
    say(response, 200, await this.#parts.metrics.text());
  }
}

function say(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return void response.end();
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.statusCode = status;
  response.end(text);
}
