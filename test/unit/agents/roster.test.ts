/** The whole fleet, a part at a time. */
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { Roster } from '../../../coordinator/agents/roster.ts';

/** A hash that answers HSCAN in the order of its fields; a cursor is a position. */
class FakeHash {
  readonly records = new Map<string, string>();
  reads = 0;

  set(id: string, sessionId: string): void {
    const record = { id, sessionId, state: 1, connectedAtMs: 1, heartbeatAtMs: 1, advertisement: null };
    this.records.set(id, JSON.stringify(record));
  }

  hscan(_key: string, cursor: string, _word: string, count: number): Promise<[string, string[]]> {
    this.reads++;
    const all = [...this.records].flat();
    const from = Number(cursor) * 2;
    const next = Number(cursor) + count;
    return Promise.resolve([next * 2 >= all.length ? '0' : String(next), all.slice(from, from + count * 2)]);
  }
}

function roster(count: number): { hash: FakeHash; roster: Roster; ids: () => string[] } {
  const hash = new FakeHash();
  for (let i = 0; i < count; i++) hash.set(`a${i}`, 's1');
  const made = new Roster(hash as unknown as Redis, 'agents');
  return { hash, roster: made, ids: () => [...made.entries()].map(({ id }) => id) };
}

test('a small fleet is known whole after each call: who came, who changed, who is gone', async () => {
  const { hash, roster: known, ids } = roster(300);
  await known.refresh();
  expect(ids()).toHaveLength(300);
  hash.records.delete('a7');
  hash.set('a8', 's2');
  hash.set('new', 's1');
  const before = [...known.entries()];
  await known.refresh();
  const after = new Map([...known.entries()].map((entry) => [entry.id, entry]));
  expect(after.size).toBe(300);
  expect(after.has('a7')).toBe(false);
  expect(after.get('a8')?.sessionId).toBe('s2');
  expect(after.has('new')).toBe(true);
  // What has not changed is not read anew.
  expect(after.get('a9')).toBe(before.find(({ id }) => id === 'a9'));
});

test('a large one a part at a call, and nobody is forgotten on the way', async () => {
  const { hash, roster: known, ids } = roster(5000);
  await known.refresh();
  const first = ids().length;
  expect(first).toBeGreaterThan(500);
  expect(first).toBeLessThan(2000);
  for (let call = 0; call < 4; call++) await known.refresh();
  expect(ids()).toHaveLength(5000);
  hash.records.delete('a0');
  for (let call = 0; call < 6; call++) {
    await known.refresh();
    expect(ids().length).toBeGreaterThanOrEqual(4999);
  }
  expect(ids()).toHaveLength(4999);
});

test('calls at the same time are one', async () => {
  const { hash, roster: known } = roster(10);
  await Promise.all([known.refresh(), known.refresh(), known.refresh()]);
  expect(hash.reads).toBe(1);
});
