/**
 * What REDIS_URL may say, as data. Accepted: `redis://` and `rediss://` (one server), `unix:///path` or a plain path
 * (one server on a socket), several addresses with commas or `redis+cluster://` (Cluster), `redis+sentinel://` (Sentinel).
 *
 * Invariant: a description for people never holds a password.
 */

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

export type RedisTarget = Access &
  (
    | {
        readonly kind: 'standalone';
        readonly address: Address | { readonly path: string };
        readonly db: number;
      }
    | { readonly kind: 'cluster'; readonly seeds: readonly Address[] }
    | {
        readonly kind: 'sentinel';
        readonly sentinels: readonly Address[];
        readonly master: string;
        readonly db: number;
      }
  );

const FORMS =
  'redis://host:6379/0, rediss://…, unix:///path/redis.sock, host1:7000,host2:7001 (Cluster), redis+sentinel://host:26379/master';

/** Throws an Error whose message says which forms are accepted. */
export function parseRedisTarget(text: string): RedisTarget {
  const trimmed = text.trim();
  if (trimmed.startsWith('/')) return socketTarget(trimmed);
  if (trimmed.startsWith('unix://')) return socketTarget(trimmed.slice('unix://'.length));
  const match =
    /^(?:(redis|rediss|redis\+cluster|rediss\+cluster|redis\+sentinel|rediss\+sentinel):\/\/)?(?:([^@]*)@)?([^/?#]+)(?:\/([^?#]*))?$/.exec(
      // Every address of a list may carry the scheme; the first one counts.
      trimmed.replace(/,\s*rediss?:\/\//g, ','),
    );
  if (match === null) throw invalid(text);
  const [, scheme = 'redis', credentials, hosts = '', path = ''] = match;
  const addresses = hosts
    .split(',')
    .map((entry) => parseAddress(entry.trim(), scheme.endsWith('sentinel') ? 26379 : 6379, text));
  const access = { tls: scheme.startsWith('rediss'), ...parseCredentials(credentials) };
  const [first] = addresses;
  if (first === undefined) throw invalid(text);
  if (scheme.endsWith('+sentinel')) {
    const [master = '', db] = path.split('/');
    if (master === '')
      throw new Error(`The Sentinel address names no master: use redis+sentinel://host:26379/<master>.`);
    return { ...access, kind: 'sentinel', sentinels: addresses, master, db: parseDb(db, text) };
  }
  if (scheme.endsWith('+cluster') || addresses.length > 1) {
    if (path !== '' && path !== '0') throw new Error('A Redis Cluster has database 0 only.');
    return { ...access, kind: 'cluster', seeds: addresses };
  }
  return { ...access, kind: 'standalone', address: first, db: parseDb(path, text) };
}

/** For logs and errors. */
export function describeTarget(target: RedisTarget): string {
  const join = (addresses: readonly Address[]): string => addresses.map(addressKey).join(',');
  if (target.kind === 'cluster') return `Redis Cluster ${join(target.seeds)}`;
  if (target.kind === 'sentinel') return `Redis ${target.master} by Sentinel ${join(target.sentinels)}`;
  return `Redis ${'path' in target.address ? target.address.path : addressKey(target.address)}`;
}

/** `host:port`, an IPv6 host in brackets. */
export function addressKey({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `host:port` as Redis writes it in MOVED (IPv6 without brackets) and as people do. */
export function parseAddress(entry: string, defaultPort: number, whole: string = entry): Address {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry);
  const colon = entry.lastIndexOf(':');
  const host = bracketed?.[1] ?? (colon === -1 ? entry : entry.slice(0, colon));
  const portText = bracketed === null ? (colon === -1 ? undefined : entry.slice(colon + 1)) : bracketed[2];
  const port = portText === undefined ? defaultPort : Number(portText);
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65535) throw invalid(whole);
  return { host, port };
}

function socketTarget(path: string): RedisTarget {
  if (!path.startsWith('/')) throw new Error(`The path of a Redis socket must be absolute: ${path}`);
  return { kind: 'standalone', address: { path }, db: 0, tls: false };
}

function parseCredentials(text: string | undefined): { username?: string; password?: string } {
  if (text === undefined || text === '') return {};
  const colon = text.indexOf(':');
  const username = colon === -1 ? '' : decodeURIComponent(text.slice(0, colon));
  const password = decodeURIComponent(colon === -1 ? text : text.slice(colon + 1));
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function parseDb(text: string | undefined, whole: string): number {
  const db = text === undefined || text === '' ? 0 : Number(text);
  if (!Number.isInteger(db) || db < 0) throw invalid(whole);
  return db;
}

function invalid(text: string): Error {
  return new Error(`Not a Redis address: "${text.replace(/\/\/[^@/]*@/, '//…@')}". Accepted: ${FORMS}.`);
}
