/**
 * Opens the key space: how many cells it has is fixed when it is created.
 *
 * Invariant: every coordinator of a key space uses the same cells; a mismatch refuses to start, because ids name
 * their cell.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys, makeCell } from './keys.ts';
import type { Cell } from './keys.ts';
import { cellTag } from './slots.ts';
import { setMissingFields } from './small-writes.ts';

/** Layout revision of the records (`records.ts`); another one refuses to start. */
const LAYOUT = 5;

/** Cells of a key space created on a cluster with this many masters; one Redis has one cell and strict order. */
export function defaultCellCount(masters: number): number {
  return masters <= 1 ? 1 : masters * 2;
}

/** Creates the key space or joins it. `count` 0 = whatever it has, or the default for a new one. */
export async function openCells(
  redis: Redis | Cluster,
  options: { readonly namespace: string; readonly count: number; readonly masters: number },
): Promise<readonly Cell[]> {
  const { namespace, count, masters } = options;
  const key = keys.creation(namespace);
  const wanted = count > 0 ? count : defaultCellCount(masters);
  await setMissingFields(redis, key, { cells: String(wanted), layout: String(LAYOUT) });
  const created = await redis.hgetall(key);
  const cells = Number(created['cells']);
  const layout = Number(created['layout']);
  if (layout > LAYOUT) {
    throw new Error(
      `The key space "${namespace}" has layout ${layout}; this program knows up to ${LAYOUT}. Upgrade it.`,
    );
  }
  if (layout < LAYOUT) {
    throw new Error(
      `The key space "${namespace}" has layout ${layout}, of before the first release; this program needs ${LAYOUT}. ` +
        `Empty it, or use another namespace.`,
    );
  }
  if (count > 0 && count !== cells) {
    throw new Error(
      `The key space "${namespace}" was created with ${cells} cells, not ${count}; the number cannot change. ` +
        `Leave it out, or use another namespace.`,
    );
  }
  return Array.from({ length: cells }, (_, index) => makeCell(namespace, index, cellTag(index, cells)));
}
