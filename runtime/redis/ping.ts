/**
 * Asks a Redis whether it takes commands, over a bare socket: no client library, no reconnecting, one answer.
 */
import { connect } from 'node:net';
import type { Address } from './target.ts';

/** `loading`: it reads its data from disk; `silent`: nobody listens, or no answer within the time. */
export type PingAnswer = 'ready' | 'loading' | 'silent';

export function pingRedis(
  address: Address | { readonly path: string },
  timeoutMs = 1_000,
): Promise<PingAnswer> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const answer = (word: PingAnswer): void => {
      socket.destroy();
      resolve(word);
    };
    socket.setTimeout(timeoutMs, () => answer('silent'));
    socket.on('error', () => answer('silent'));
    socket.on('close', () => answer('silent'));
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      const text = data.toString('latin1');
      if (text.startsWith('-LOADING') || text.startsWith('-MASTERDOWN')) answer('loading');
      // NOAUTH and the like come from a server that is up.
      else if (text.startsWith('+') || text.startsWith('-')) answer('ready');
    });
  });
}
