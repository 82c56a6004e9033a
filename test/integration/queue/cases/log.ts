/** log: one gap-free sequence, inline while it is short, a list beyond. */
import { expect, test } from 'vitest';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { INLINE_EVENT_BYTES, readHeadRecord } from '../../../../coordinator/queue/records.ts';
import { readHead } from '../../../../coordinator/workflow/view.ts';
import { EventCode } from '../../../../sdk/common/events.ts';
import { change, flow } from '../changes.ts';
import type { World } from '../world.ts';

const said = (text: string) => change({ events: [[EventCode['job.progress'], 0, 0, 4, 'agent', '', text]] });

export function logCases(world: () => World): void {
  test('what outgrows the head moves to a list, in order, without a gap', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const texts = Array.from({ length: 60 }, (_, i) => `${i} `.padEnd(20 + i, 'x'));
    for (const [i, text] of texts.entries()) {
      await w.decide([wid, i + 1, 0, said(text), []]);
      const stored = (await w.redis.hgetBuffer(keys.bucket(w.cell, wid), wid)) as Buffer;
      expect(stored.length).toBeLessThan(INLINE_EVENT_BYTES + 400);
    }
    const { head, events, read, more } = await w.log(wid);
    expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 63 }, (_, i) => i + 1));
    expect(events.slice(3).map(({ rest }) => rest[2])).toEqual(texts);
    expect(new Set(events.map(({ tag }) => tag)).size).toBe(61);
    const { listed, sequence } = readHead(head as Buffer);
    expect(sequence).toBe(63);
    expect([read, more]).toEqual([listed, 0]);
    expect(listed).toBeGreaterThan(2);
    expect(await w.redis.llen(keys.events(w.cell, wid))).toBe(listed);
  });

  test('read in pages it is the same', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 40 }));
    for (let i = 1; i <= 30; i++) await w.decide([wid, i, 0, said('y'.repeat(200)), []]);
    const whole = (await w.log(wid)).events;
    const paged = [];
    for (let from = 0; ;) {
      const page = await w.log(wid, from, 2);
      paged.push(...page.events);
      from += page.read;
      if (page.more === 0) break;
      expect(page.read).toBe(2);
    }
    expect(paged).toEqual(whole);
    // From the end of the list on, and beyond: what is inline.
    const { listed } = await w.head(wid);
    for (const from of [listed, listed + 5]) {
      const rest = await w.log(wid, from, 10);
      expect(rest.read).toBe(0);
      expect(whole.slice(whole.length - rest.events.length)).toEqual(rest.events);
    }
  });

  test('one commit larger than the head may carry goes to the list whole', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 300 }));
    expect(await w.head(wid)).toMatchObject({ listed: 1, sequence: 302 });
    const events = await w.events(wid);
    expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 302 }, (_, i) => i + 1));
    expect(new Set(events.map(({ tag }) => tag)).size).toBe(1);
  });

  test('text of any kind comes back as it went in', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const texts = ['ümläut 漢字 🎈', 'a\0b\r\nc', '"quotes" \\ and |pipes|', 'x'.repeat(70_000)];
    for (const [i, text] of texts.entries()) await w.decide([wid, i + 1, 0, said(text), []]);
    expect((await w.events(wid)).slice(3).map(({ rest }) => rest[2])).toEqual(texts);
  });

  test('readers sign up: one by name, several as everybody', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const watch = async () => readHeadRecord((await w.log(wid)).head as Buffer).head.watch;
    expect(await watch()).toBe('');
    await w.log(wid, 0, 10, 'c2');
    expect(await watch()).toBe('c2');
    const heard = await w.overheard(async () => {
      w.origin = 'c2';
      await w.decide([wid, 1, 0, said('by c2'), []]);
      w.origin = 'c1';
      await w.decide([wid, 2, 0, said('by c1'), []]);
      await w.twice(() => w.log(wid, 0, 10, 'c3'));
      expect(await watch()).toBe('*');
      await w.log(wid, 0, 10, 'c4');
      expect(await watch()).toBe('*');
      w.origin = 'c2';
      await w.decide([wid, 3, 0, said('by c2'), []]);
    });
    expect(heard.map(([origin, works]) => [origin, works])).toEqual([
      ['c1', [wid]],
      ['c2', [wid]],
    ]);
    expect((await w.events(wid)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('a workflow nobody knows', async () => {
    const w = world();
    expect(await w.log(w.wid('a'), 0, 10, 'c1')).toEqual({ read: -1, more: 0, head: undefined, events: [] });
    expect(await w.dump()).toEqual(new Map());
  });
}
