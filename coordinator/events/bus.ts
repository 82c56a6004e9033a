/**
 * Word between coordinators, one shard channel per cell: workflows to look at, classes to claim from, attempts to stop,
 * classes to learn.
 *
 * Invariant: the bus only saves time. Everything it says can be found by polling, and is.
 */
import type { Subscriber } from '../../runtime/redis/subscriber.ts';
import type { Told } from '../queue/items.ts';
import { keys } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';

export interface BusListeners {
  /** Somebody else changed these workflows. */
  readonly onWorkflows: (wids: readonly string[]) => void;
  /** Classes of a cell that grew; undefined = any may have. */
  readonly onWake: (cell: Cell, classes: readonly string[] | undefined) => void;
  readonly onTold: (told: readonly Told[]) => void;
  readonly onClasses: (cell: Cell) => void;
  /** Messages of a cell may have been missed. */
  readonly onGap: (cell: Cell) => void;
}

type Message = [
  origin: string,
  works: string[] | object,
  wakes: [string, string][] | object,
  told: Told[] | object,
  classes: string[] | object,
];

/** Signs up for every cell. */
export async function listenToBus(
  subscriber: Subscriber,
  cells: readonly Cell[],
  coordinatorId: string,
  listeners: BusListeners,
): Promise<void> {
  const byChannel = new Map(cells.map((cell) => [keys.bus(cell), cell]));
  subscriber.onGap((channel) => {
    const cell = byChannel.get(channel);
    if (cell !== undefined) listeners.onGap(cell);
  });
  await Promise.all(
    cells.map((cell) =>
      subscriber.subscribe(keys.bus(cell), (text) => {
        const [origin, works, wakes, told, classes] = JSON.parse(text) as Message;
        // Lua writes an empty list as {}.
        if (origin !== coordinatorId) {
          if (isFull(works)) listeners.onWorkflows(works);
          if (isFull(told)) listeners.onTold(told);
          if (isFull(classes)) listeners.onClasses(cell);
        }
        if (isFull(wakes)) {
          const mine = wakes.filter(([woken]) => woken === coordinatorId).map(([, name]) => name);
          if (mine.length > 0) listeners.onWake(cell, mine);
        }
      }),
    ),
  );
}

function isFull<T>(list: T[] | object): list is T[] {
  return Array.isArray(list) && list.length > 0;
}
