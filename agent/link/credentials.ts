/**
 * How the agent proves itself: TLS or plain text, client certificate, bearer token.
 *
 * 1. A token that comes from a file is read for every attempt: a rotated one is used without a restart.
 */
import { readFileSync } from 'node:fs';
import { credentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';

export interface TlsFiles {
  readonly enabled: boolean;
  /** PEM; empty = the system's roots. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export function channelCredentials(tls: TlsFiles): ChannelCredentials {
  const wanted = tls.enabled || tls.ca !== '' || tls.cert !== '';
  if (!wanted) return credentials.createInsecure();
  if ((tls.cert === '') !== (tls.key === ''))
    throw new Error('tls: a client certificate needs its key, and the other way round');
  const read = (path: string): Buffer | null => (path === '' ? null : readFileSync(path));
  return credentials.createSsl(read(tls.ca), read(tls.key), read(tls.cert));
}

export interface TokenSource {
  /** Empty = none. */
  readonly token: string;
  /** Where it came from; empty = not from a file. */
  readonly file: string;
}

/** A token, as the link wants it (1). */
export function tokenReader(from: TokenSource): () => string {
  if (from.file === '') return () => from.token;
  return () => readFileSync(from.file, 'utf8').trim();
}
