/**
 * The stall sweep of one cell, run by every coordinator: jobs whose lease ran out are recovered, or fail for good.
 *
 * Invariant: after a gap in which nobody swept, the script waits one full lease before it calls anything stalled, so an
 * outage never stalls a whole fleet.
 */
import { Loop } from '../../runtime/loop.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { Shell } from '../workflow/shell.ts';

export interface StallSweepOptions {
  readonly cell: Cell;
  readonly store: Store;
  readonly shell: Shell;
  readonly intervalMs: number;
  /** What a gap between two sweeps may exceed the interval by. */
  readonly slackMs: number;
  readonly maxRecoveries: number;
  readonly onStalled: (ref: string, agent: string, recovered: boolean) => void;
  readonly onRequeued: (cell: Cell) => void;
  readonly onError: (error: unknown) => void;
}

export function stallSweep(options: StallSweepOptions): Loop {
  const { cell, store, shell, intervalMs, slackMs, maxRecoveries, onStalled, onRequeued, onError } = options;
  return new Loop({
    name: `stall sweep of cell ${cell.index}`,
    intervalMs,
    onError,
    run: async (signal) => {
      let more = true;
      while (more && !signal.aborted) {
        const [stalled, todo, , left] = await store.sweep(cell, {
          intervalMs,
          slackMs,
          maxRecoveries,
        });
        for (const [ref, agent, recovered] of stalled) onStalled(ref, agent, recovered === 1);
        if (stalled.length > 0) onRequeued(cell);
        await Promise.all(todo.map((wid) => shell.settle(wid)));
        more = left === 1;
      }
    },
  });
}
