/** due and sweep: what happens when nobody says anything. Times are put into the past by hand. */
import { expect, test } from 'vitest';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, failure, flow, job, step, success } from '../changes.ts';
import { LEASE_MS, OFFER_MS, ask } from '../world.ts';
import type { Granted, World } from '../world.ts';

export function dueCases(world: () => World): void {
  test('an offer nobody took goes back to the front; its late answer is lost', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }));
    const [lapsed, fresh] = (await w.take('agent', 2, 'q')) as [Granted, Granted];
    await w.makeDue(keys.offers(w.cell), lapsed.ref);
    const [first, second] = await w.twice(() => w.due());
    expect(first).toEqual([[[lapsed.ref, 'agent']], [], 0]);
    expect(second).toEqual([[], [], 0]);
    expect(await w.queue('q')).toEqual([lapsed.ref, `${wid}-0-2`]);
    expect(await w.job(lapsed.ref)).toMatchObject({
      state: State.unassigned,
      hold: 0,
      token: '',
      recoveries: 0,
      attempt: 1,
    });
    expect(await w.zset(keys.offers(w.cell))).toEqual([fresh.ref]);
    expect((await w.events(wid)).at(-1)).toMatchObject({
      type: 'job.released',
      rest: ['agent', 'OFFER_LAPSED'],
    });
    expect(await w.accept([lapsed.ref, lapsed.token, -1, 0])).toEqual(['lost']);
  });

  test('an entry without an offer behind it is dropped', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.redis.zadd(keys.offers(w.cell), 1, held.ref, 1, `${w.wid('gone')}-0-0`);
    expect(await w.due()).toEqual([[], [], 0]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
    expect(await w.job(held.ref)).toMatchObject({ hold: 2, token: held.token });
  });

  test('a queue timeout that comes while the job is only offered comes again', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { queueTimeoutMs: 5_000 }));
    const [offered] = (await w.take('agent', 1, 'q')) as [Granted];
    const timer = `queued|${offered.ref}`;
    await w.makeDue(keys.timers(w.cell), timer);
    await w.twice(() => w.due());
    expect(await w.zset(keys.timers(w.cell))).toEqual([timer]);
    await w.makeDue(keys.offers(w.cell), offered.ref);
    await w.due();
    await w.makeDue(keys.timers(w.cell), timer);
    await w.due();
    expect(await w.job(offered.ref)).toMatchObject({ state: State.expired, hold: 0 });
    expect(await w.queue('q')).toEqual([]);
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
  });

  test('after an outage no offer lapses and no attempt runs out for two offer leases', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3, queueTimeoutMs: 5_000 }));
    const [offered] = (await w.take('agent', 1, 'q')) as [Granted];
    const [running] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.accept([running.ref, running.token, 0, 60_000]);
    const attempt = `attempt|${running.ref}|${running.token}`;
    await w.due();
    await w.makeDue(keys.offers(w.cell), offered.ref);
    await w.makeDue(keys.timers(w.cell), attempt);
    await w.makeDue(keys.timers(w.cell), `queued|${wid}-0-2`);
    await w.setMeta('dueAt', Date.now() - OFFER_MS / 2 - 100);
    expect(await w.due()).toEqual([[], [wid], 0]);
    const spare = Number(await w.meta('spareUntil'));
    expect(spare - Number(await w.meta('dueAt'))).toBe(2 * OFFER_MS);
    // What nobody but the queue has to do with goes on.
    expect(await w.job(`${wid}-0-2`)).toMatchObject({ state: State.expired });
    expect(await w.redis.zscore(keys.timers(w.cell), attempt)).toBe(String(spare));
    // The time to spare does not begin again, and what agents say counts.
    await w.due();
    expect(await w.meta('spareUntil')).toBe(String(spare));
    expect(await w.accept([offered.ref, offered.token, -1, 0])).toEqual(['ok']);
    await w.setMeta('spareUntil', Date.now() - 1);
    await w.makeDue(keys.timers(w.cell), attempt);
    await w.due();
    expect(await w.job(running.ref)).toMatchObject({ state: State.expired });
    expect(await w.job(offered.ref)).toMatchObject({ hold: 2 });
  });

  test('a queue timeout ends jobs nobody claimed in time, and no others', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3, queueTimeoutMs: 5_000 }));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    for (const n of [0, 1]) await w.makeDue(keys.timers(w.cell), `queued|${wid}-0-${n}`);
    await w.twice(() => w.due());
    expect(await w.job(`${wid}-0-1`)).toMatchObject({
      state: State.expired,
      reason: 'DEADLINE_EXCEEDED_QUEUED',
    });
    expect(await w.job(held.ref)).toMatchObject({ state: State.scheduled, token: held.token });
    expect(await w.queue('q')).toEqual([`${wid}-0-2`]);
    expect((await w.step(wid, 0)).fails).toEqual([
      [1, State.expired, 'DEADLINE_EXCEEDED_QUEUED', '', 1, 1, 0],
    ]);
    expect(await w.head(wid)).toMatchObject({ dirty: [0], facts: 1 });
    expect(await w.zset(keys.timers(w.cell))).toEqual([`queued|${wid}-0-2`]);
  });

  test('a queue timeout at the very moment its job comes back leaves nothing in the queue', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { queueTimeoutMs: 5_000 }));
    const [offered] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.makeDue(keys.offers(w.cell), offered.ref);
    await w.makeDue(keys.timers(w.cell), `queued|${offered.ref}`);
    await w.due();
    expect(await w.job(offered.ref)).toMatchObject({ state: State.expired });
    expect(await w.queue('q')).toEqual([]);

    const other = w.wid('b');
    await w.submit(flow(other, { change: change({ jobs: [job({ delayMs: 1000, queueTimeoutMs: 1 })] }) }));
    for (const kind of ['backoff', 'queued']) await w.makeDue(keys.timers(w.cell), `${kind}|${other}-0-0`);
    await w.due();
    expect(await w.job(`${other}-0-0`)).toMatchObject({ state: State.expired });
    expect(await w.queue('q')).toEqual([]);
  });

  test('an attempt timeout ends that attempt, tells its agent and its own caller, and asks for a decision', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.accept([held.ref, held.token, 0, 1000]);
    await w.makeDue(keys.timers(w.cell), `attempt|${held.ref}|${held.token}`);
    const said = await w.overheard(() => w.twice(() => w.due()));
    expect(said.map((message) => message[3])).toEqual([[[held.ref, held.token, 'agent', 'deadline']]]);
    expect(await w.job(held.ref)).toMatchObject({
      state: State.expired,
      reason: 'DEADLINE_EXCEEDED_RUNNING',
      hold: 0,
    });
    expect((await w.step(wid, 0)).fails).toEqual([
      [0, State.expired, 'DEADLINE_EXCEEDED_RUNNING', '', 1, 0, 1],
    ]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([]);
    expect((await w.due())[1]).toEqual([wid]);
    // What comes later is refused, and counted.
    expect((await w.complete(success(held)))[0][0]?.[0]).toBe('lost');
    expect((await w.job(held.ref)).agents).toBe('agent');
  });

  test("an older attempt's timer does not touch the next", async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [first] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.accept([first.ref, first.token, 0, 1000]);
    await w.release([first.ref, first.token, 'BUSY']);
    const [second] = (await w.hold('other', 1, 'q')) as [Granted];
    await w.makeDue(keys.timers(w.cell), `attempt|${first.ref}|${first.token}`);
    await w.due();
    expect(await w.job(second.ref)).toMatchObject({ hold: 2, token: second.token });
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
  });

  test("a workflow's timeout asks for its end, unless a person did or it has ended", async () => {
    const w = world();
    const [late, canceled] = [w.wid('late'), w.wid('canceled')];
    await w.submit(flow(late, { expireMs: 5_000 }), flow(canceled, { expireMs: 5_000 }));
    await w.control(canceled);
    for (const wid of [late, canceled]) await w.makeDue(keys.timers(w.cell), `expire|${wid}`);
    await w.redis.zadd(keys.timers(w.cell), 1, `expire|${w.wid('gone')}`);
    await w.twice(() => w.due());
    expect(await w.head(late)).toMatchObject({ cancel: 2, dirty: [-1], facts: 1 });
    expect(await w.head(canceled)).toMatchObject({ cancel: 1, facts: 1 });
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
  });

  test('workflows without a decision are named once they have waited long enough', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    await w.complete(failure((await w.hold('agent', 1, 'q'))[0] as Granted));
    expect((await w.due(64, 60_000))[1]).toEqual([]);
    expect((await w.due(64, 0))[1]).toEqual([wid]);
    await w.makeDue(keys.todo(w.cell), wid);
    expect((await w.due(64, 60_000))[1]).toEqual([wid]);
  });

  test('what is too much for one call is said so, and done by the next', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 5 }));
    const grants = await w.take('agent', 5, 'q');
    for (const { ref } of grants) await w.makeDue(keys.offers(w.cell), ref);
    const seen = [];
    for (;;) {
      const [lapsed, , more] = await w.due(2);
      seen.push(...lapsed.map(([ref]) => ref));
      if (more === 0) break;
    }
    expect(seen).toEqual(grants.map(({ ref }) => ref));
    expect(await w.queue('q')).toEqual(seen);
  });

  test('jobs that come back wake a coordinator, and their watcher hears of it', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { watch: 'watcher' }));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    w.origin = 'idle';
    await w.claim([ask('agent', 1, 'q')]);
    w.origin = 'c1';
    await w.makeDue(keys.offers(w.cell), held.ref);
    expect(await w.overheard(() => w.due())).toEqual([['c1', [wid], [['idle', 'q']], {}, {}]]);
  });
}

export function sweepCases(world: () => World): void {
  const stall = async (w: World, held: Granted): Promise<void> => w.makeDue(keys.leases(w.cell), held.ref);

  test('a job without a sign of life goes back to the front, and its fence is void', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }));
    const [stalled, alive] = (await w.hold('agent', 2, 'q')) as [Granted, Granted];
    await w.progress([stalled.ref, stalled.token, 0.4, '']);
    await stall(w, stalled);
    const [first, second] = await w.twice(() => w.sweep());
    expect(first).toEqual([[[stalled.ref, 'agent', 1]], [], 0, 0]);
    expect(second).toEqual([[], [], 0, 0]);
    expect(await w.queue('q')).toEqual([stalled.ref, `${wid}-0-2`]);
    expect(await w.job(stalled.ref)).toMatchObject({
      state: State.unassigned,
      recoveries: 1,
      attempt: 1,
      agents: 'agent',
      token: '',
      progress: -1,
    });
    expect(await w.zset(keys.leases(w.cell))).toEqual([alive.ref]);
    const events = (await w.events(wid)).slice(-2);
    expect(events.map(({ type, rest }) => [type, ...rest])).toEqual([
      ['job.stalled', 'agent'],
      ['job.recovered', 'agent', 'STALLED'],
    ]);
    expect((await w.complete(success(stalled)))[0][0]?.[0]).toBe('lost');
    expect(await w.meta('wasted')).toBe('1');
  });

  test('three recoveries, then the end, naming the agents tried', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const agents = ['one', 'two', 'three', 'four'];
    for (const [round, agent] of agents.entries()) {
      const [held] = (await w.hold(agent, 1, 'q')) as [Granted];
      await stall(w, held);
      const last = round === 3;
      const [answer] = await w.twice(() => w.sweep());
      expect(answer).toEqual([[[held.ref, agent, last ? 0 : 1]], last ? [wid] : [], 0, 0]);
      expect((await w.complete(success(held)))[0][0]?.[0]).toBe('lost');
      expect(await w.meta('wasted')).toBe(String(round + 1));
    }
    expect(await w.job(`${wid}-0-0`)).toMatchObject({
      state: State.failed,
      reason: 'RECOVERY_EXHAUSTED',
      message: 'It stalled 4 times; agents tried: one,two,three,four.',
      recoveries: 3,
      claims: 4,
      hold: 0,
    });
    expect((await w.step(wid, 0)).fails[0]).toMatchObject([
      0,
      State.failed,
      'RECOVERY_EXHAUSTED',
      expect.any(String),
      1,
      0,
      0,
    ]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([wid]);
    const story = await w.story(wid);
    expect(story.filter((line) => line === 'job.stalled 0')).toHaveLength(4);
    expect(story.filter((line) => line === 'job.recovered 0')).toHaveLength(3);
    expect(story.slice(-2)).toEqual(['job.stalled 0', 'job.failed 0']);
  });

  test('after an outage nobody is called stalled for one full lease', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.sweep();
    await stall(w, held);
    // A gap of an interval and a bit is an ordinary one.
    await w.setMeta('sweptAt', Date.now() - 76_000);
    expect(await w.sweep()).toEqual([[], [], 1, 0]);
    expect(Number(await w.meta('graceUntil')) - Number(await w.meta('sweptAt'))).toBe(LEASE_MS);
    // The grace goes on while sweeps come in time, and does not start again.
    const until = await w.meta('graceUntil');
    expect(await w.sweep()).toEqual([[], [], 1, 0]);
    expect(await w.meta('graceUntil')).toBe(until);
    expect(await w.job(held.ref)).toMatchObject({ hold: 2, token: held.token });
    await w.setMeta('graceUntil', Date.now() - 1);
    await w.setMeta('sweptAt', Date.now() - 70_000);
    expect(await w.sweep()).toEqual([[[held.ref, 'agent', 1]], [], 0, 0]);
  });

  test('a lease without a holder is dropped', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [offered] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.redis.zadd(keys.leases(w.cell), 1, offered.ref, 1, `${w.wid('gone')}-0-0`);
    expect(await w.sweep()).toEqual([[], [], 0, 0]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([]);
    expect(await w.job(offered.ref)).toMatchObject({ hold: 1, token: offered.token });
  });

  test('more than one call can do is said so', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 5 }));
    const grants = await w.hold('agent', 5, 'q');
    for (const held of grants) await stall(w, held);
    expect((await w.sweep({ limit: 3 }))[3]).toBe(1);
    const [stalled, , , more] = await w.sweep({ limit: 3 });
    expect([stalled.length, more]).toEqual([2, 0]);
    expect(await w.queue('q')).toEqual(grants.map(({ ref }) => ref));
  });

  test('a recovered job may be retried and replaced like any other', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    await stall(w, (await w.hold('one', 1, 'q'))[0] as Granted);
    await w.sweep({ recoveries: 0 });
    const retry = change({ steps: [step(0, { failsSeen: 1 })], jobs: [job({ attempt: 2, replaces: 0 })] });
    await w.decide([wid, 1, 1, retry, [0]]);
    const [again] = (await w.hold('two', 1, 'q')) as [Granted];
    expect(await w.job(again.ref)).toMatchObject({ recoveries: 0, agents: 'one', replaces: 0, attempt: 2 });
  });
}
