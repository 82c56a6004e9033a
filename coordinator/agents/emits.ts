/**
 * Further jobs a running one asks for, on their way into the store.
 *
 * Invariant: memory that is full is waited out here, while the session lives, up to a bound: other jobs finish meanwhile and
 * make room. (Ending the session, as for other failures, would bring the agent back at once with the same batch.)
 */
import { sleep, systemClock } from '../../runtime/clock.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { EmitReply } from '../queue/items.ts';
import type { Store } from '../queue/store.ts';
import type { HeldJob } from './held-jobs.ts';

/** Batches of one session that may wait. */
const MAX_WAITING = 64;
const PAUSE_MS = 5000;

export class Emits {
  readonly #store: Store;
  readonly #isOver: () => boolean;
  #waiting = 0;

  constructor(store: Store, isOver: () => boolean) {
    this.#store = store;
    this.#isOver = isOver;
  }

  async store(job: HeldJob, batch: number, inputs: string[]): Promise<EmitReply> {
    this.#waiting++;
    try {
      for (;;) {
        try {
          return await this.#store.emit(job.wid, [job.ref, job.token, batch, inputs]);
        } catch (error) {
          const isFull = error instanceof DibsError && error.reason === 'STORE_FULL';
          if (!isFull || this.#isOver() || this.#waiting > MAX_WAITING) throw error;
          await sleep(systemClock, error.retryAfterMs ?? PAUSE_MS);
        }
      }
    } finally {
      this.#waiting--;
    }
  }
}
