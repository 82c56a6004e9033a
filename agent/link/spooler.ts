/**
 * The disk work of unconfirmed results; siblings: `unacked.ts` says which are to be kept, `spool.ts` writes files.
 *
 * 1. One thing after another, in order: a save never comes after its remove.
 * 2. A disk that refuses (full, read-only) costs nothing but safety: the results stay in memory, `failing` says so once,
 *    and the next try is `RETRY_MS` later, not one for each result.
 */
import type { CompletionSpool, UnackedCompletion } from './unacked.ts';

export const RETRY_MS = 5_000;

export interface SpoolerEvents {
  /** The disk begins to refuse. */
  failing(error: unknown): void;
  /** It takes results again. */
  recovered(): void;
}

export interface SpoolerOptions {
  readonly now: () => number;
  readonly spool: CompletionSpool;
  /** It has not been acknowledged meanwhile. */
  readonly wanted: (completion: UnackedCompletion) => boolean;
  readonly events?: SpoolerEvents;
}

export class Spooler {
  readonly #o: SpoolerOptions;
  #work: Promise<void> = Promise.resolve();
  #failing = false;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: SpoolerOptions) {
    this.#o = options;
  }

  /** Marks it as spooled; the mark goes away when the disk refuses. */
  save(completion: UnackedCompletion): void {
    if (this.#o.now() < this.#notBefore) return;
    completion.spooled = true;
    this.#work = this.#work.then(() => this.#save(completion));
  }

  remove(completion: UnackedCompletion): void {
    this.#work = this.#work.then(() => this.#o.spool.remove(completion)).catch(this.#failed);
  }

  /** Tries again at the next save, however lately the disk refused. */
  retryNow(): void {
    this.#notBefore = Number.NEGATIVE_INFINITY;
  }

  /** Resolves when everything asked for so far is done. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #save(completion: UnackedCompletion): Promise<void> {
    const { spool, wanted, now, events } = this.#o;
    if (!wanted(completion)) return;
    if (now() < this.#notBefore) {
      completion.spooled = false;
      return;
    }
    try {
      await spool.save(completion);
    } catch (error) {
      completion.spooled = false;
      this.#notBefore = now() + RETRY_MS;
      this.#failed(error);
      return;
    }
    if (this.#failing) events?.recovered();
    this.#failing = false;
  }

  readonly #failed = (error: unknown): void => {
    if (!this.#failing) this.#o.events?.failing(error);
    this.#failing = true;
  };
}
