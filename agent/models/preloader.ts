/**
 * Fetches models before a job needs them, the most wanted first, as the coordinator hints.
 *
 * Invariants: one at a time, and only while no job waits for files of its own; what does not come is left alone until the next list.
 */
import type { HostLog as Log } from '../jobs/log.ts';
import type { PreloadHint } from '../link/wire.ts';
import type { Model } from '../../sdk/executor/models.ts';
import type { ModelStore } from './store.ts';

export class Preloader {
  readonly #store: ModelStore;
  readonly #models: (type: string) => readonly Model[];
  readonly #log: Log;
  readonly #stopped = new AbortController();
  #wanted: readonly PreloadHint[] = [];
  #running = false;

  constructor(store: ModelStore, models: (type: string) => readonly Model[], log: Log) {
    this.#store = store;
    this.#models = models;
    this.#log = log;
  }

  /** Replaces what was hinted before. */
  hints(hints: readonly PreloadHint[]): void {
    this.#wanted = hints;
    void this.#run();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#take(); next !== undefined; next = this.#take()) {
        if (this.#stopped.signal.aborted || this.#store.isFetching) return;
        await this.#store.ensure(next, this.#stopped.signal).then(
          () => this.#log.info({ model: next?.name }, 'a model was fetched ahead'),
          (err: unknown) => this.#log.warn({ err, model: next?.name }, 'a model could not be fetched ahead'),
        );
      }
    } finally {
      this.#running = false;
    }
  }

  #take(): Model | undefined {
    for (;;) {
      const [first, ...rest] = this.#wanted;
      if (first === undefined) return undefined;
      this.#wanted = rest;
      const model = this.#models(first.type).find(({ name }) => name === first.model);
      if (model !== undefined && !this.#store.has(model)) return model;
    }
  }
}
