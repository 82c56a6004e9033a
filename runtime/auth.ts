/**
 * Bearer tokens: how one is presented, checked, and where a process may listen without one.
 *
 * Invariants: a check takes the same time whatever is presented; nothing listens beyond this machine without a token.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { Metadata } from '@grpc/grpc-js';
import { DibsError } from '../sdk/common/errors.ts';
import { ConfigError } from './config-error.ts';

/** Whether a presented token is the right one. */
export type TokenCheck = (presented: string | undefined) => boolean;

/** Several tokens are right at once while one is rotated. */
export function tokenCheck(...tokens: readonly string[]): TokenCheck {
  const expected = tokens.map(digest);
  return (presented) => {
    const actual = digest(presented ?? '');
    // Every one is compared, and digests have one length, so time tells neither which nor how much of it was right.
    let right = false;
    for (const one of expected) right = timingSafeEqual(actual, one) || right;
    return right && presented !== undefined;
  };
}

/** Token of an `Authorization: Bearer …` header, of HTTP or of gRPC metadata; undefined when there is none. */
export function bearerToken(carrier: string | undefined | Metadata): string | undefined {
  const header = typeof carrier === 'object' ? carrier.get('authorization')[0]?.toString() : carrier;
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
}

/** Throws UNAUTHENTICATED unless the call carries the token; anyone may call when `check` is undefined. */
export function requireToken(carrier: string | undefined | Metadata, check: TokenCheck | undefined): void {
  if (check === undefined) return;
  const token = bearerToken(carrier);
  if (token === undefined)
    throw new DibsError(
      'UNAUTHENTICATED',
      'This coordinator wants a token: send "Authorization: Bearer <token>".',
    );
  if (!check(token))
    throw new DibsError('UNAUTHENTICATED', 'The token is not the one this coordinator accepts.');
}

/** Throws a ConfigError unless a token is set or only this machine can connect. */
export function assertListenAllowed(host: string, token: string | undefined): void {
  if (isLoopback(host) || (token !== undefined && token !== '')) return;
  throw new ConfigError([
    `Listening on ${host === '' ? 'all addresses' : host} without a token would let anyone on the network run jobs. ` +
      'Set DIBS_TOKEN_FILE (or DIBS_TOKEN), or listen on 127.0.0.1.',
  ]);
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** True for addresses only this machine reaches: loopback addresses, "localhost" and unix sockets. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare.startsWith('unix:') || bare.startsWith('/')) return true;
  const family = isIP(bare);
  return family !== 0 && LOOPBACK.check(bare, family === 4 ? 'ipv4' : 'ipv6');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
