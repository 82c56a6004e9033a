/**
 * What happens to held jobs when no coordinator has been reachable for as long as a lease lives.
 *
 * 1. Until then nothing: a blip never costs work.
 * 2. Then jobs that have not started are dropped: another agent has them by now, or will at once.
 * 3. `stop` also stops what runs and ends the agent; `finish-running` lets it finish, and its result waits for a
 *    coordinator, who may still take it if nobody else has finished first.
 */

export type LostPolicy = 'finish-running' | 'stop';

export interface LostActions {
  dropWaiting(): void;
  stop(): void;
}

export class CoordinatorWatch {
  readonly #policy: LostPolicy;
  readonly #actions: LostActions;
  #leaseMs = 120_000;
  #timer: NodeJS.Timeout | undefined;

  constructor(policy: LostPolicy, actions: LostActions) {
    this.#policy = policy;
    this.#actions = actions;
  }

  /** A session began. */
  live(leaseMs: number): void {
    if (leaseMs > 0) this.#leaseMs = leaseMs;
    this.stop();
  }

  /** A session ended. Repeats do not start the time anew. */
  lost(): void {
    this.#timer ??= setTimeout(() => {
      this.#actions.dropWaiting();
      if (this.#policy === 'stop') this.#actions.stop();
    }, this.#leaseMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
