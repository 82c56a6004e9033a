/**
 * Keeps the chores going: opens their queue, puts lost schedules back, opens it anew when its worker has ended or hangs.
 *
 * Invariants:
 * 1. Starting waits for nothing, and no trouble of the chores reaches anybody: it is told, once until it is over.
 * 2. Schedules are looked after every few seconds and after every reconnection, by every coordinator.
 */
import { Loop } from '../../runtime/loop.ts';
import type { Service } from '../../runtime/service.ts';
import type { ChoreQueue, ChoreQueueOptions } from './chore-queue.ts';

export type ChoresOptions = Pick<ChoreQueueOptions, 'target' | 'namespace' | 'chores'> & {
  readonly onTrouble: (error: unknown) => void;
  readonly onWell: () => void;
};

/** Schedules are looked after at least this often, milliseconds. */
const CARE_MS = 10_000;

export class Chores implements Service {
  readonly name = 'chores';
  readonly #options: ChoresOptions;
  readonly #loop: Loop;
  #queue: ChoreQueue | undefined;
  #isTold = false;
  #troubled = false;

  constructor(options: ChoresOptions) {
    this.#options = options;
    this.#loop = new Loop({
      name: 'care of the chores',
      intervalMs: Math.min(CARE_MS, ...options.chores.map(({ everyMs }) => Math.max(everyMs, 1000))),
      immediately: true,
      run: (signal) => this.#care(signal),
      onError: (error) => this.#trouble(error),
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#close();
  }

  async #care(signal: AbortSignal): Promise<void> {
    this.#troubled = false;
    try {
      if (this.#queue?.isWorking === false) await this.#close();
      this.#queue ??= await this.#open(signal);
      const { isStuck } = await this.#queue.keepSchedules(signal);
      // Our worker would have taken it: something of it hangs. The next round opens another.
      if (isStuck) await this.#close();
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (this.#troubled || !this.#isTold) return;
    this.#isTold = false;
    this.#options.onWell();
  }

  async #open(signal: AbortSignal): Promise<ChoreQueue> {
    // Loaded when everything else serves: it takes longer than the rest of a start.
    const { openChoreQueue } = await import('./chore-queue.ts');
    const { target, namespace, chores } = this.#options;
    return openChoreQueue({
      target,
      namespace,
      chores,
      signal,
      onError: (error) => this.#trouble(error),
      onReconnected: () => this.#loop.poke(),
    });
  }

  async #close(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await queue?.close();
  }

  #trouble(error: unknown): void {
    this.#troubled = true;
    if (this.#isTold) return;
    this.#isTold = true;
    this.#options.onTrouble(error);
  }
}
