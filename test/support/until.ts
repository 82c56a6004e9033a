/**
 * The only way a test waits: for something to become true, with a deadline and a message that says what did not.
 *
 * Prefer `untilEvent` where there is an event; `until` looks every few milliseconds, for state of other processes.
 */
import type { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface UntilOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

const TIMEOUT_MS = 10_000;

/**
 * First truthy result of `check`. A check that throws has not come true yet; the message of the failure shows the last
 * result or error.
 */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Truthy<T>> {
  const { timeoutMs = TIMEOUT_MS, everyMs = 5 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let seen: unknown;
    try {
      const value = await check();
      if (value) return value as Truthy<T>;
      seen = value;
    } catch (error) {
      seen = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${timeoutMs} ms for ${what}; last seen: ${inspect(seen, { depth: 4 })}`);
    }
    await pause(everyMs);
  }
}

/** First emission of `event` that `accept` takes; its first argument. Rejects at the deadline, not on 'error'. */
export function untilEvent<T = unknown>(
  emitter: EventEmitter,
  event: string,
  options: { readonly timeoutMs?: number; readonly accept?: (value: T) => boolean } = {},
): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, accept = () => true } = options;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      emitter.off(event, listener);
      reject(new Error(`Waited ${timeoutMs} ms for the event '${event}'.`));
    }, timeoutMs);
    const listener = (value: T): void => {
      if (!accept(value)) return;
      clearTimeout(timer);
      emitter.off(event, listener);
      resolve(value);
    };
    emitter.on(event, listener);
  });
}
