/**
 * The stall sweep: jobs whose lease ran out are recovered, or fail for good. A chore of the fleet (`chores.ts`), with a
 * backstop in each coordinator (`sweep-backstop.ts`).
 *
 * Invariant: after a gap in which nobody swept, the script waits one full lease before it calls anything stalled, so an
 * outage never stalls a whole fleet. Sweeping more often than asked, or twice at once, does no harm.
 */
import type { StallNotes } from '../queue/items.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { Shell } from '../workflow/shell.ts';

export interface StallSweepOptions {
  readonly cells: readonly Cell[];
  readonly store: Store;
  readonly shell: Shell;
  readonly intervalMs: number;
  /** What a gap between two sweeps may exceed the interval by. */
  readonly slackMs: number;
  readonly maxRecoveries: number;
  /** What is known of the jobs that are due; rejects where it cannot be told. */
  readonly diagnose: (cell: Cell) => Promise<StallNotes>;
  readonly onError: (error: unknown) => void;
  readonly onStalled: (ref: string, agent: string, recovered: boolean) => void;
  readonly onRequeued: (cell: Cell) => void;
}

export class StallSweep {
  readonly #options: StallSweepOptions;

  constructor(options: StallSweepOptions) {
    this.#options = options;
  }

  /** Every cell, whatever becomes of the others; rejects with what went wrong. */
  async all(signal: AbortSignal): Promise<void> {
    const errors: unknown[] = [];
    for (const cell of this.#options.cells)
      await this.one(cell, signal).catch((error: unknown) => errors.push(error));
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} cells could not be swept`);
  }

  async one(cell: Cell, signal: AbortSignal): Promise<void> {
    const { store, shell, intervalMs, slackMs, maxRecoveries, diagnose, onError, onStalled, onRequeued } =
      this.#options;
    let more = true;
    while (more && !signal.aborted) {
      const notes = await diagnose(cell).catch((error: unknown): StallNotes => {
        onError(error);
        return {};
      });
      const [stalled, todo, , left] = await store.sweep(cell, { intervalMs, slackMs, maxRecoveries }, notes);
      for (const [ref, agent, recovered] of stalled) onStalled(ref, agent, recovered === 1);
      if (stalled.length > 0) onRequeued(cell);
      await Promise.all(todo.map((wid) => shell.settle(wid)));
      more = left === 1;
    }
  }
}
