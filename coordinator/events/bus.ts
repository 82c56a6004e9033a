/**
 * Word between coordinators, one shard channel per cell: workflows to look at, classes to claim from, attempts to stop,
 * classes to learn; and on that of the first cell, that pauses or quarantines have changed.
 *
 * Invariant: the bus only saves time. Everything it says can be found by polling, and is.
 */
import type { Cluster, Redis } from 'ioredis';
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
  /** Somebody else paused, resumed or shut out something. */
  readonly onControls: () => void;
  /** Messages of a cell may have been missed. */
  readonly onGap: (cell: Cell) => void;
}

type Message = [
  origin: string,
  works: string[] | object,
  wakes: [string, string][] | object,
  told: Told[] | object,
  classes: string[] | object,
  controls?: 1,
];

/** Tells the other coordinators that pauses or quarantines have changed. */
export async function tellControls(
  redis: Redis | Cluster,
  cells: readonly Cell[],
  coordinatorId: string,
): Promise<void> {
  const message: Message = [coordinatorId, [], [], [], [], 1];
  await redis.spublish(keys.bus(cells[0] as Cell), JSON.stringify(message));
}

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
        const [origin, works, wakes, told, classes, controls] = JSON.parse(text) as Message;
        // Lua writes an empty list as {}.
        if (origin !== coordinatorId) {
          if (isFull(works)) listeners.onWorkflows(works);
          if (isFull(told)) listeners.onTold(told);
          if (isFull(classes)) listeners.onClasses(cell);
          if (controls === 1) listeners.onControls();
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
