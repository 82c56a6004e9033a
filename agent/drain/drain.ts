/**
 * The way out: first finish, then hand back; states in `states.ts`.
 *
 * 1. A drain finishes what runs and gives back at once what has not started; nothing new is claimed.
 * 2. Force (a second signal, the deadline) cancels what runs and releases every lease in the same turn, so that others
 *    can take the jobs within seconds, not after the lease.
 * 3. Results that nobody acknowledged within SETTLE_MS stay on disk for the next start; they never hold up the end.
 * 4. Who is between two connections when it hands back has REACH_MS to find a coordinator that hears it.
 */
import type { HostLog as Log } from '../jobs/log.ts';
import { step } from './states.ts';
import type { DrainEvent, DrainState } from './states.ts';

/** Time for acknowledgements of the last results. */
const SETTLE_MS = 5_000;
/** Time for a connection over which leases are released; after it they run out by themselves. */
const REACH_MS = 2_000;

export interface DrainParts {
  /** Claim no more, return what waits; resolves when nothing is held. */
  finishHeld(): Promise<void>;
  /** Cancel and release everything. */
  handBack(): void;
  /** Tells the coordinator; jobs are handed back after `timeoutMs`. */
  announce(reason: string, timeoutMs: number): void;
  /** Resolves when results are acknowledged, or after the time. */
  settle(timeoutMs: number): Promise<void>;
  /** Resolves when a coordinator hears us, or after the time. */
  reach(timeoutMs: number): Promise<void>;
  /** Ends executors, link and everything else. */
  close(): Promise<void>;
}

export type DrainOutcome = 'drained' | 'forced' | 'deadline';

export class DrainControl {
  readonly #parts: DrainParts;
  readonly #timeoutMs: number;
  readonly #log: Log;
  #state: DrainState = 'serving';
  #deadline: NodeJS.Timeout | undefined;
  #outcome: DrainOutcome = 'drained';
  #resolve: (outcome: DrainOutcome) => void = () => {};
  /** Resolves once, when everything is closed. */
  readonly ended: Promise<DrainOutcome>;

  constructor(options: { parts: DrainParts; timeoutMs: number; log: Log }) {
    this.#parts = options.parts;
    this.#timeoutMs = options.timeoutMs;
    this.#log = options.log;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  get state(): DrainState {
    return this.#state;
  }

  /** Finish and leave (1). Repeats change nothing. */
  drain(reason: string): void {
    if (this.#go('drain') !== 'serving') return;
    this.#log.info({ reason, timeoutMs: this.#timeoutMs }, 'draining: no new jobs, held ones finish');
    this.#parts.announce(reason, this.#timeoutMs);
    this.#deadline = setTimeout(
      () => this.#force('the drain deadline has passed', 'deadline'),
      this.#timeoutMs,
    );
    void this.#parts.finishHeld().then(() => {
      if (this.#state === 'draining') void this.#close('idle');
    });
  }

  /** Hand everything back and leave (2). */
  force(reason: string): void {
    this.#force(reason, 'forced');
  }

  #force(reason: string, outcome: DrainOutcome): void {
    const before = this.#go('force');
    if (before !== 'serving' && before !== 'draining') return;
    this.#outcome = outcome;
    this.#log.warn({ reason }, 'handing back every job');
    this.#parts.handBack();
    void this.#close('handed');
  }

  async #close(event: 'idle' | 'handed'): Promise<void> {
    this.#go(event);
    clearTimeout(this.#deadline);
    await (event === 'idle' ? this.#parts.settle(SETTLE_MS) : this.#parts.reach(REACH_MS));
    await this.#parts.close();
    this.#go('closed');
    this.#resolve(this.#outcome);
  }

  /** Makes the transition; returns the state before it. */
  #go(event: DrainEvent): DrainState {
    const before = this.#state;
    this.#state = step(before, event);
    return before;
  }
}
