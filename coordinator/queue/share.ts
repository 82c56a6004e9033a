/**
 * Equal changes of a batch are sent once: most of what one turn submits or completes is decided alike, and unpacking a
 * change costs a script 2 µs.
 */
import type { Change } from './items.ts';

/** Changes with more jobs are not compared: they hold inputs, so they differ. */
const MAX_JOBS = 1;

/** The items with numbers (from 1) of `changes` in place of changes; the items given stay as they are. */
export function shareChanges<Item extends unknown[]>(
  items: readonly Item[],
  position: number,
): { readonly items: Item[]; readonly changes: Change[] } {
  const changes: Change[] = [];
  if (items.length < 2) return { items: [...items], changes };
  const numbers = new Map<string, number>();
  const shared = items.map((item) => {
    const change = item[position] as Change | false;
    if (change === false || change[2].length > MAX_JOBS || change[6] !== undefined) return item;
    const text = JSON.stringify(change);
    let number = numbers.get(text);
    if (number === undefined) {
      number = changes.push(change);
      numbers.set(text, number);
    }
    return item.with(position, number) as Item;
  });
  return { items: shared, changes };
}
