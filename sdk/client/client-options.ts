/**
 * Where the client connects and who it is: options > environment > default.
 *
 * A token in a file (`DIBS_TOKEN_FILE`) is read once, when the client is made.
 */
import { readFileSync } from 'node:fs';
import { DEFAULT_GRPC_PORT } from '../common/defaults.ts';

export const DEFAULT_ADDRESS = `127.0.0.1:${DEFAULT_GRPC_PORT}`;

export interface TlsOptions {
  /** PEM; default the system's authorities. */
  readonly ca?: string | Buffer;
  /** PEM; both for mTLS. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name on the certificate, where it differs from the address. */
  readonly serverName?: string;
}

export interface ClientOptions {
  /** `host:port`, several of them, or several joined by commas; default `DIBS_ADDRESS`, then 127.0.0.1:7400. */
  readonly address?: string | readonly string[];
  /** Default `DIBS_TOKEN`, then the content of the file `DIBS_TOKEN_FILE` names, then none; '' = none. */
  readonly token?: string;
  /** Default: plain text. */
  readonly tls?: boolean | TlsOptions;
  /** Deadline of a call that answers once; default 10 s. */
  readonly callTimeoutMs?: number;
  /** How long streams (watch, submit) go on trying to reconnect after losing every coordinator; default 2 min. */
  readonly reconnectMs?: number;
}

export interface ResolvedOptions {
  readonly addresses: readonly [string, ...string[]];
  readonly token: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly callTimeoutMs: number;
  readonly reconnectMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function resolveOptions(options: ClientOptions, env: Environment): ResolvedOptions {
  return {
    addresses: readAddresses(options.address ?? env.DIBS_ADDRESS ?? DEFAULT_ADDRESS),
    token: (options.token ?? readToken(env)) || undefined,
    tls: options.tls === true ? {} : options.tls === false ? undefined : options.tls,
    callTimeoutMs: options.callTimeoutMs ?? 10_000,
    reconnectMs: options.reconnectMs ?? 120_000,
  };
}

function readAddresses(given: string | readonly string[]): [string, ...string[]] {
  const list = (typeof given === 'string' ? given.split(',') : given)
    .map((address) => address.trim())
    .filter((address) => address !== '');
  for (const address of list) {
    if (!/^(\[[0-9a-f:]+\]|[^\s:/]+):\d{1,5}$|^unix:/i.test(address)) {
      throw new TypeError(`The coordinator's address "${address}" is not host:port.`);
    }
  }
  const [first = DEFAULT_ADDRESS, ...others] = list;
  return [first, ...others];
}

function readToken(env: Environment): string {
  if (env.DIBS_TOKEN) return env.DIBS_TOKEN;
  return env.DIBS_TOKEN_FILE ? readFileSync(env.DIBS_TOKEN_FILE, 'utf8').trim() : '';
}
