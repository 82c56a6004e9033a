/**
 * The due loop of one cell, every second, run by every coordinator: lapsed offers, due timers, undecided workflows.
 *
 * Invariant: idempotent and safe beside other coordinators' loops; each acts only on what is still due.
 */
import { sleep, systemClock } from '../../runtime/clock.ts';
import { Loop } from '../../runtime/loop.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { Shell } from '../workflow/shell.ts';

/** A workflow whose decisions take longer holds up nobody else, milliseconds. */
const PATIENCE_MS = 1000;

export interface DueLoopOptions {
  readonly cell: Cell;
  readonly store: Store;
  readonly shell: Shell;
  readonly intervalMs: number;
  /** Facts older than this without a decision are taken up here. */
  readonly undecidedMs: number;
  /** Jobs went back to their queues. */
  readonly onRequeued: (cell: Cell) => void;
  readonly onError: (error: unknown) => void;
}

export function dueLoop(options: DueLoopOptions): Loop {
  const { cell, store, shell, intervalMs, undecidedMs, onRequeued, onError } = options;
  return new Loop({
    name: `due loop of cell ${cell.index}`,
    intervalMs,
    onError,
    run: async (signal) => {
      let more = true;
      while (more && !signal.aborted) {
        const [lapsed, todo, left] = await store.due(cell, undecidedMs);
        if (lapsed.length > 0) onRequeued(cell);
        if (todo.length > 0) {
          const settled = Promise.all(todo.map((wid) => shell.settle(wid)));
          await Promise.race([settled, sleep(systemClock, PATIENCE_MS)]);
        }
        more = left === 1;
      }
    },
  });
}
