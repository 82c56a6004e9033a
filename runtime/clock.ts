/**
 * Time as a parameter: what a loop or a machine asks for the time and for timers.
 *
 * Invariants: `now` is for showing and for storing, `monotonic` for measuring (it never goes back); decisions about jobs
 * use neither but the clock of Redis. Sibling: manual-clock.ts, the same interface under a test's control.
 */

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds since an arbitrary origin. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; returns the function that cancels it. Never keeps the process alive. */
  schedule(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` is or gets aborted; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.schedule(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
