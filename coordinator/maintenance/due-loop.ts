/**
 * The due loop of one cell, every second, run by every coordinator: lapsed offers, due timers, undecided workflows.
 *
 * Invariant: idempotent and safe beside other coordinators' loops; each acts only on what is still due.
 */
import { Loop } from '../../runtime/loop.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { Shell } from '../workflow/shell.ts';

/** Facts older than this without a decision are taken up here, milliseconds. */
const UNDECIDED_MS = 2000;

export interface DueLoopOptions {
  readonly cell: Cell;
  readonly store: Store;
  readonly shell: Shell;
  readonly intervalMs: number;
  /** Jobs went back to their queues. */
  readonly onRequeued: (cell: Cell) => void;
  readonly onError: (error: unknown) => void;
}

export function dueLoop({ cell, store, shell, intervalMs, onRequeued, onError }: DueLoopOptions): Loop {
  return new Loop({
    name: `due loop of cell ${cell.index}`,
    intervalMs,
    onError,
    run: async (signal) => {
      let more = true;
      while (more && !signal.aborted) {
        const [lapsed, todo, left] = await store.due(cell, UNDECIDED_MS);
        if (lapsed.length > 0) onRequeued(cell);
        await Promise.all(todo.map((wid) => shell.settle(wid)));
        more = left === 1;
      }
    },
  });
}
