/**
 * Rate limits of step types: how many jobs of a type may be claimed, over all coordinators.
 *
 * A token bucket per limited type stands in Redis; a claim takes tokens before it asks and gives back what it did not use.
 *
 * Invariants:
 * 1. Tokens are taken and given back by one script each, on the server's clock; a coordinator that dies between the two loses its
 *    tokens, never more.
 * 2. A type without a limit costs nothing.
 * 3. Nothing else of a limited type is asked for while its bucket is empty: its jobs stay where they stand.
 */
import type { Cluster, Redis } from 'ioredis';

export interface RateLimit {
  readonly perSecond: number;
  /** Jobs that may be claimed at once after a pause; default what a second brings, at least 1. */
  readonly burst?: number;
}

/** KEYS[1] bucket; ARGV: rate a second, burst, tokens wanted (less than 0 = given back). Gives tokens, and ms until there is one. */
const TAKE = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local b = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(b[1] or burst)
tokens = math.min(burst, tokens + math.max(0, now - tonumber(b[2] or now)) * rate / 1000)
local taken = math.min(want, math.floor(tokens))
tokens = math.min(burst, tokens - taken)
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 60000)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) / rate * 1000) end
return {taken, wait}
`;

export class Rates {
  readonly #redis: Redis | Cluster;
  readonly #keyOf: (type: string) => string;
  readonly #limits: ReadonlyMap<string, RateLimit>;

  constructor(
    redis: Redis | Cluster,
    keyOf: (type: string) => string,
    limits: ReadonlyMap<string, RateLimit>,
  ) {
    this.#redis = redis;
    this.#keyOf = keyOf;
    this.#limits = limits;
  }

  /** Whether there is a limit at all. */
  get any(): boolean {
    return this.#limits.size > 0;
  }

  isLimited(type: string): boolean {
    return this.#limits.has(type);
  }

  /** At most so many tokens; `waitMs` until there is another one. */
  async take(type: string, jobs: number): Promise<{ readonly taken: number; readonly waitMs: number }> {
    const limit = this.#limits.get(type);
    if (limit === undefined) return { taken: jobs, waitMs: 0 };
    const { perSecond, burst = Math.max(1, perSecond) } = limit;
    const answer = await this.#redis.eval(TAKE, 1, this.#keyOf(type), perSecond, burst, jobs);
    const [taken, waitMs] = answer as [number, number];
    return { taken, waitMs };
  }

  async giveBack(type: string, jobs: number): Promise<void> {
    if (jobs > 0) await this.take(type, -jobs);
  }

  /** In words; undefined for a type without a limit. */
  told(type: string): string | undefined {
    const limit = this.#limits.get(type);
    return limit === undefined ? undefined : `${type} is limited to ${limit.perSecond} jobs a second`;
  }
}

/** `type=10/s`, `type=600/m`, `type=5/s:20` (burst 20); undefined for anything else. */
export function parseRate(text: string): { readonly type: string; readonly limit: RateLimit } | undefined {
  const match = /^([A-Za-z0-9][\w.:/-]{0,127})=(\d+(?:\.\d+)?)\/(s|m|h)(?::(\d+))?$/.exec(text.trim());
  if (match === null) return undefined;
  const [, type = '', amount, unit = 's', burst] = match;
  const perSecond = Number(amount) / { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
  if (!(perSecond > 0)) return undefined;
  return { type, limit: { perSecond, ...(burst !== undefined && { burst: Math.max(1, Number(burst)) }) } };
}
