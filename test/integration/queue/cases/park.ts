/** Entries of paused workflows are put aside when met, and come back where they were. */
import { expect, test } from 'vitest';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, ending, flow } from '../changes.ts';
import { ask } from '../world.ts';
import type { World } from '../world.ts';

async function setState(w: World, wid: string, state: number): Promise<void> {
  const { version, facts } = await w.head(wid);
  await w.decide([wid, version, facts, change({ workflow: ending(state) }), []]);
}

export function parkCases(world: () => World): void {
  test('paused: parked when met; resumed: back in front, in order', async () => {
    const w = world();
    const [paused, other] = [w.wid('a'), w.wid('b')];
    await w.submit(flow(paused, { jobs: 3 }));
    await w.submit(flow(other, { jobs: 2 }));
    await setState(w, paused, State.paused);
    const grants = await w.take('agent', 1, 'q');
    expect(grants.map(({ ref }) => ref)).toEqual([`${other}-0-0`]);
    const cause = `wf:${paused}`;
    expect((await w.zset(keys.parked(w.cell, cause))).map((entry) => entry.slice(11))).toEqual(
      [0, 1, 2].map((n) => `${paused}-0-${n}|q`),
    );
    expect(await w.queue('q')).toEqual([`${other}-0-1`]);
    expect(await w.head(paused)).toMatchObject({ state: State.paused });

    await setState(w, paused, State.unassigned);
    // In chunks; a call without anything left does nothing.
    expect(await w.unpark(cause, 2)).toBe(1);
    expect(await w.twice(() => w.unpark(cause, 2))).toEqual([0, 0]);
    expect(await w.queue('q')).toEqual([...[0, 1, 2].map((n) => `${paused}-0-${n}`), `${other}-0-1`]);
    expect((await w.take('agent', 3, 'q')).map(({ ref }) => ref)).toEqual(
      [0, 1, 2].map((n) => `${paused}-0-${n}`),
    );
  });

  test('a paused workflow alone in its queue: its jobs come back in front of what came meanwhile', async () => {
    const w = world();
    const [paused, later] = [w.wid('a'), w.wid('b')];
    await w.submit(flow(paused, { jobs: 3, queue: 'q|odd', cost: 9 }));
    await setState(w, paused, State.paused);
    expect(await w.take('agent', 1, 'q|odd')).toEqual([]);
    await w.submit(flow(later, { queue: 'q|odd', jobs: 2 }));
    await setState(w, paused, State.unassigned);
    w.origin = 'idle';
    await w.redis.zadd(keys.idle(w.cell, 'q|odd'), Date.now(), 'idle');
    w.origin = 'c1';
    const said = await w.overheard(() => w.unpark(`wf:${paused}`));
    expect(said.map((message) => message[2])).toEqual([[['idle', 'q|odd']]]);
    expect(await w.queue('q|odd')).toEqual(
      [0, 1, 2].map((n) => `${paused}-0-${n}`).concat(`${later}-0-0`, `${later}-0-1`),
    );
  });

  test('met twice it is parked once; canceled meanwhile it does not come back', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }));
    await setState(w, wid, State.paused);
    await w.take('agent', 9, 'q');
    expect(await w.claim([ask('agent', 9, 'q')])).toMatchObject({ short: [9], grants: [] });
    expect(await w.redis.zcard(keys.parked(w.cell, `wf:${wid}`))).toBe(3);
    const { version, facts } = await w.head(wid);
    await w.decide([
      wid,
      version,
      facts,
      change({ cancels: [[0, 0, 2, 'CANCELED_BY_USER', State.canceled]] }),
      [],
    ]);
    expect(await w.zset(keys.parked(w.cell, `wf:${wid}`))).toHaveLength(1);
    await setState(w, wid, State.unassigned);
    expect(await w.unpark(`wf:${wid}`)).toBe(0);
    expect(await w.queue('q')).toEqual([`${wid}-0-2`]);
  });

  test('held jobs of a paused workflow go on; handed back they are parked when met', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [held] = await w.hold('agent', 1, 'q');
    await setState(w, wid, State.paused);
    expect(await w.accept([held?.ref ?? '', held?.token ?? '', 0, 0])).toEqual(['ok']);
    expect(await w.head(wid)).toMatchObject({ state: State.paused });
    await w.release([held?.ref ?? '', held?.token ?? '', 'FORCED']);
    expect(await w.take('agent', 1, 'q')).toEqual([]);
    expect(await w.zset(keys.parked(w.cell, `wf:${wid}`))).toHaveLength(1);
  });
}
