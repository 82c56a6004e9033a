/** claim: another agent is preferred for a job that one has lost. */
import { expect, test } from 'vitest';
import { claimsOf } from '../../../../coordinator/queue/history.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, failure, flow, job, step } from '../changes.ts';
import { ask } from '../world.ts';
import type { Granted, World } from '../world.ts';

const AVOID = { avoidMs: 600_000 };

export function avoidCases(world: () => World): void {
  /** A workflow with one job that `one` lost by a stall. */
  const stalled = async (w: World, name = 'a'): Promise<string> => {
    const wid = w.wid(name);
    await w.submit(flow(wid));
    const [held] = (await w.hold('one', 1, 'q')) as [Granted];
    await w.makeDue(keys.leases(w.cell), held.ref);
    await w.sweep();
    return held.ref;
  };
  const refs = (grants: readonly Granted[]): string[] => grants.map(({ ref }) => ref);

  test('who lost a job leaves it, and takes what stands behind it', async () => {
    const w = world();
    const ref = await stalled(w);
    await w.submit(flow(w.wid('b')));
    const own = await w.claim([ask('one', 5, 'q')], AVOID);
    expect(refs(own.grants)).toEqual([`${w.wid('b')}-0-0`]);
    expect(own).toMatchObject({ short: [4], left: [[0, 0]] });
    expect(await w.queue('q')).toEqual([ref]);
    const other = await w.claim([ask('two', 5, 'q')], AVOID);
    expect(refs(other.grants)).toEqual([ref]);
    expect(other.left).toEqual([]);
  });

  test('in one call it goes to whoever else asks, the place in the queue kept', async () => {
    const w = world();
    const ref = await stalled(w);
    await w.submit(flow(w.wid('b'), { jobs: 2 }));
    const { grants, short } = await w.claim([ask('one', 2, 'q'), ask('two', 2, 'q')], AVOID);
    const of = (index: number): string[] => refs(grants.filter((grant) => grant.ask === index));
    expect(of(1)[0]).toBe(ref);
    expect([...of(0), ...of(1)]).toHaveLength(3);
    expect(short).toEqual([1, 0]);
    expect(await w.queue('q')).toEqual([]);
  });

  test('with no other agent, or after a while, it is taken at once', async () => {
    for (const [name, alone, avoidMs] of [
      ['alone', [1], 600_000],
      ['late', [], 0],
    ] as const) {
      const w = world();
      const ref = await stalled(w, name);
      const asked = ask('one', 1, 'q');
      asked[5] = [...alone];
      const { grants, left } = await w.claim([asked], { avoidMs });
      expect(refs(grants)).toEqual([ref]);
      expect(left).toEqual([]);
    }
  });

  test('a replacement is kept from whoever failed what it replaces, and tells the whole story', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [lapsed] = (await w.take('zero', 1, 'q')) as [Granted];
    await w.makeDue(keys.offers(w.cell), lapsed.ref);
    await w.due();
    const [first] = (await w.hold('one', 1, 'q')) as [Granted];
    await w.complete(failure(first, 'OUT_OF_MEMORY'));
    const retry = change({ steps: [step(0, { failsSeen: 1 })], jobs: [job({ attempt: 2, replaces: 0 })] });
    await w.decide([wid, 1, 1, retry, [0]]);
    expect((await w.claim([ask('one', 1, 'q')], AVOID)).grants).toEqual([]);
    // A lapse says nothing against an agent.
    const { grants } = await w.claim([ask('zero', 1, 'q')], AVOID);
    expect(refs(grants)).toEqual([`${wid}-0-1`]);
    const record = await w.job(`${wid}-0-1`);
    const story = claimsOf({ ...record, queue: record.class });
    expect(
      story.map(({ attempt, agent, end, reason, startedAt }) => [attempt, agent, end, reason, startedAt > 0]),
    ).toEqual([
      [1, 'zero', 'offer_lapsed', 'OFFER_LAPSED', false],
      [1, 'one', 'failed', 'OUT_OF_MEMORY', true],
      [2, 'zero', '', '', false],
    ]);
    expect(story.every(({ claimedAt }) => claimedAt > 0)).toBe(true);
    expect(record.agents).toBe('one');
  });

  test('agents are named once; of agents and claims the newest 16 are kept', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    for (let round = 0; round < 20; round++) {
      const [held] = (await w.hold(`agent${round}`, 1, 'q')) as [Granted];
      await w.makeDue(keys.leases(w.cell), held.ref);
      await w.sweep({ recoveries: 100 });
    }
    for (let round = 0; round < 2; round++) {
      const [held] = (await w.hold('agent19', 1, 'q')) as [Granted];
      await w.makeDue(keys.leases(w.cell), held.ref);
      await w.sweep({ recoveries: 100 });
    }
    const record = await w.job(`${wid}-0-0`);
    expect(record.agents.split(',')).toEqual(Array.from({ length: 16 }, (_, i) => `agent${i + 4}`));
    const story = claimsOf({ ...record, queue: record.class });
    expect(story).toHaveLength(16);
    expect(story.at(-1)).toMatchObject({ agent: 'agent19', end: 'stalled', reason: 'STALLED', attempt: 1 });
    expect(record).toMatchObject({ state: State.unassigned, claimedAt: 0, claims: 22 });
  });

  test('an agent looks past 16 jobs it lost, and no further; what is left wakes another coordinator', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 17 }));
    for (const held of await w.hold('one', 17, 'q')) await w.makeDue(keys.leases(w.cell), held.ref);
    await w.sweep();
    await w.submit(flow(w.wid('b')));
    w.origin = 'idle';
    await w.claim([ask('other', 1, 'none')]);
    await w.redis.zadd(keys.idle(w.cell, 'q'), Date.now(), 'idle');
    w.origin = 'c1';
    const heard = await w.overheard(async () => {
      const { grants, short, left } = await w.claim([ask('one', 1, 'q')], AVOID);
      expect({ grants, short }).toEqual({ grants: [], short: [1] });
      expect(left[0]).toEqual([0, 0]);
    });
    expect(heard.flatMap(([, , wakes]) => wakes)).toEqual([['idle', 'q']]);
    // It does not wait for a word itself: the next such word would be about the same jobs.
    expect(await w.zset(keys.idle(w.cell, 'q'))).toEqual([]);
    expect(await w.queue('q')).toHaveLength(18);
    expect((await w.claim([ask('two', 20, 'q')], AVOID)).grants).toHaveLength(18);
  });

  test('across classes, what is left to others does not hide the next class', async () => {
    const w = world();
    await stalled(w);
    await w.submit(flow(w.wid('b'), { queue: 'r' }));
    const { grants, left } = await w.claim([ask('one', 2, 'q', 'r')], AVOID);
    expect(refs(grants)).toEqual([`${w.wid('b')}-0-0`]);
    expect(left).toEqual([[0, 0]]);
  });
}
