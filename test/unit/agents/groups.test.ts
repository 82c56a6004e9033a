/** Sessions grouped by what they can run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Groups } from '../../../coordinator/agents/groups.ts';
import type { Session } from '../../../coordinator/agents/session.ts';

const session = (id: number): { id: number; matchKey: string } => ({ id, matchKey: '' });

test('whatever comes, goes and changes, each stands in the group of its key, once', () => {
  const step = fc.tuple(fc.nat({ max: 9 }), fc.constantFrom('a', 'b', 'c', undefined));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const groups = new Groups();
      const all = Array.from({ length: 10 }, (_, id) => session(id));
      const keys = new Map<number, string>();
      for (const [id, key] of steps) {
        const one = all[id] as (typeof all)[number];
        if (key === undefined) {
          groups.take(one as unknown as Session);
          keys.delete(id);
        } else {
          one.matchKey = key;
          groups.put(one as unknown as Session);
          keys.set(id, key);
        }
      }
      const found = new Map<number, string>();
      for (const group of groups.list as unknown as (typeof all)[]) {
        expect(group.length).toBeGreaterThan(0);
        expect(new Set(group.map(({ matchKey }) => matchKey)).size).toBe(1);
        for (const one of group) found.set(one.id, one.matchKey);
      }
      expect(found).toEqual(keys);
      expect(groups.size).toBe(keys.size);
      expect((groups.list as unknown as unknown[][]).flat()).toHaveLength(keys.size);
    }),
  );
});
