/**
 * Random ids: a prefix that says what it names, and 26 characters of Crockford's base32 (130 random bits).
 *
 * Invariants: never derived from a clock or a counter, so ids of two machines cannot collide and tell nothing; only
 * characters that survive a URL, a file name and being read aloud. The bytes can be given, for tests and simulations.
 */
import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 26;

export type IdPrefix = 'agent' | 'boot' | 'claim' | 'coord' | 'err' | 'job' | 'req' | 'session' | 'wf';

/** For example `agent_0f3k…`. */
export function newId(prefix: IdPrefix, bytes: (count: number) => Uint8Array = randomBytes): string {
  return `${prefix}_${randomText(LENGTH, bytes)}`;
}

/** Random characters of the same alphabet, five bits each. */
export function randomText(length: number, bytes: (count: number) => Uint8Array = randomBytes): string {
  let text = '';
  for (const byte of bytes(length)) text += ALPHABET.charAt(byte & 31);
  return text;
}

/** True for what `newId(prefix)` could have made; also for longer or shorter ids of other makers, up to 100 characters. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}_`) && /^[a-z]+_[0-9A-Za-z_-]{1,100}$/.test(text);
}
