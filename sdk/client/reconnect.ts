/**
 * Patience of a stream that lost its coordinator: how long to wait before the next attempt, and when to give up.
 *
 * Invariant: one success (a message received) forgets all failures.
 */
import { backoffMs } from './backoff.ts';
import { mayReconnect } from './errors.ts';
import type { DibsError } from './errors.ts';

/** A stream that never worked is given up sooner: a wrong address is likelier than an outage. */
const FIRST_CONNECT_MS = 5_000;

export class Patience {
  readonly #reconnectMs: number;
  #failures = 0;
  #failingSince = 0;
  #everWorked = false;

  constructor(reconnectMs: number) {
    this.#reconnectMs = reconnectMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#everWorked = true;
  }

  /** For a new start after giving up. */
  restart(): void {
    this.#failures = 0;
  }

  /** Milliseconds to wait before the next attempt, or undefined to give up. */
  failed(error: DibsError, now: number, random: number): number | undefined {
    if (!mayReconnect(error)) return undefined;
    if (this.#failures === 0) this.#failingSince = now;
    const waitMs = Math.max(backoffMs(this.#failures, random), error.retryAfterMs ?? 0);
    this.#failures += 1;
    const allowedMs = this.#everWorked ? this.#reconnectMs : Math.min(FIRST_CONNECT_MS, this.#reconnectMs);
    return now + waitMs - this.#failingSince > allowedMs ? undefined : waitMs;
  }
}
