/**
 * Makes a call again while Redis is away: for the reads and idempotent writes of a start, where a connection that breaks
 * once must not end the program.
 *
 * Invariant: only an answer of "not now" is waited out (`storeFailure`); everything else is thrown at once.
 */
import { sleep, systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { storeFailure } from './store-errors.ts';

/** As long as the first connection may take, milliseconds. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 200;

/** Throws the last error once `timeoutMs` (default 30,000) have passed. */
export async function patiently<T>(
  call: () => Promise<T>,
  {
    timeoutMs = PATIENCE_MS,
    clock = systemClock,
  }: { readonly timeoutMs?: number; readonly clock?: Clock } = {},
): Promise<T> {
  const deadline = clock.monotonic() + timeoutMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (storeFailure(error) !== 'unavailable' || clock.monotonic() >= deadline) throw error;
      await sleep(clock, PAUSE_MS);
    }
  }
}
