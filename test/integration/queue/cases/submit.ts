/** submit: what a workflow is in Redis, once and only once. */
import { expect, test } from 'vitest';
import { unpackSequence } from '../../../../coordinator/queue/codec.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, ending, event, flow, job, step, success } from '../changes.ts';
import { ask } from '../world.ts';
import type { World } from '../world.ts';

export function submitCases(world: () => World): void {
  test('a workflow is stored with its steps, jobs, queue entries, classes and log', async () => {
    const w = world();
    const wid = w.wid('a');
    const made = flow(wid, {
      jobs: 2,
      cost: 3,
      steps: [0, 1],
      classes: [
        ['q', ''],
        ['q#1', '{"labels":{}}'],
      ],
    });
    expect(await w.submit(made)).toEqual([['created', 4]]);

    expect(await w.head(wid)).toMatchObject({
      version: 1,
      facts: 0,
      state: State.unassigned,
      tenant: 'acme',
      sequence: 4,
      listed: 0,
      dirty: [],
      stepCount: 2,
      openSteps: 2,
      okSteps: 0,
      requestId: `r-${wid}`,
    });
    expect(await w.step(wid, 0)).toMatchObject({
      state: State.unassigned,
      total: 2,
      emitted: 2,
      nextJob: 2,
      open: 2,
      ok: 0,
      bad: 0,
    });
    expect(await w.step(wid, 1)).toMatchObject({ needs: 1, total: -1, nextJob: 0, open: 0 });
    expect(await w.job(`${wid}-0-1`)).toMatchObject({
      state: State.unassigned,
      slot: 1,
      class: 'q',
      band: 1,
      cost: 3,
      token: '',
      hold: 0,
      claims: 0,
      attempt: 1,
      progress: -1,
      replaces: -1,
    });
    expect(await w.queue('q')).toEqual([`${wid}-0-0`, `${wid}-0-1`]);
    expect(await w.story(wid)).toEqual(['workflow.created', 'step.ready', 'job.queued 0', 'job.queued 1']);
    expect((await w.events(wid)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(await w.redis.hgetall(keys.classes(w.cell))).toEqual({ q: '', 'q#1': '{"labels":{}}' });
    const day = Math.floor(Date.now() / 86_400_000);
    const created = await Promise.all(
      [day - 1, day].map((each) => w.redis.lrange(keys.created(w.cell, each), 0, -1)),
    );
    expect(created.flat()).toEqual([wid]);
    const plan = await w.redis.hgetBuffer(keys.bucket(w.cell, wid), `${wid}p`);
    expect(unpackSequence(plan as Buffer)).toEqual([['plan', wid]]);
  });

  test('the same id again is left alone: in a later call, in the same call, with another body', async () => {
    const w = world();
    const wid = w.wid('a');
    const [first, second] = await w.twice(() => w.submit(flow(wid, { jobs: 3 })));
    expect(first).toEqual([['created', 5]]);
    expect(second).toEqual([['exists', 0]]);
    const before = await w.dump();
    expect(await w.submit(flow(wid, { jobs: 1, plan: 'other', tenant: 'other' }))).toEqual([['exists', 0]]);
    expect(await w.dump()).toEqual(before);

    const other = w.wid('b');
    const replies = await w.submit(flow(other), flow(wid), flow(other, { jobs: 2 }));
    expect(replies).toEqual([
      ['created', 3],
      ['exists', 0],
      ['exists', 0],
    ]);
    expect(await w.queue('q')).toEqual([0, 1, 2].map((n) => `${wid}-0-${n}`).concat(`${other}-0-0`));
  });

  test('steps beyond the 32nd stand in chunks, and live there', async () => {
    const w = world();
    const wid = w.wid('wide');
    const specs = [0, 31, 32, 63, 64, 99].map((index) => job({ step: index, input: `"${index}"` }));
    const started = specs.map(([index]) => step(index, { total: 1, emitted: 1 }));
    await w.submit(
      flow(wid, {
        steps: Array.from({ length: 100 }, (_, i) => i % 7),
        change: change({ steps: started, jobs: specs }),
      }),
    );

    const fields = await w.redis.hkeys(keys.bucket(w.cell, wid));
    expect(fields.filter((field) => /s\d+$/.test(field)).sort()).toEqual(
      [1, 2, 3].map((chunk) => `${wid}s${chunk}`),
    );
    expect((await w.head(wid)).steps).toHaveLength(32);
    expect(await w.step(wid, 99)).toMatchObject({ needs: 99 % 7, total: 1, open: 1 });

    const grants = await w.take('agent', 10, 'q');
    expect(grants.map(({ input }) => input)).toEqual(specs.map((spec) => spec[5]));
    expect(grants.every(({ head }) => head === undefined)).toBe(true);
    await w.complete(...grants.map((held) => success(held)));
    for (const [index] of specs)
      expect(await w.step(wid, index)).toMatchObject({ state: State.processing, open: 0, ok: 1 });
    for (const index of [1, 33, 65, 98])
      expect(await w.step(wid, index)).toMatchObject({ state: State.unassigned, needs: index % 7 });
    expect((await w.head(wid)).dirty).toEqual(specs.map(([index]) => index));
  });

  test('10,000 steps', async () => {
    const w = world();
    const wid = w.wid('huge');
    const last = 9_999;
    const started = change({ steps: [step(last, { total: 1, emitted: 1 })], jobs: [job({ step: last })] });
    expect(
      await w.submit(flow(wid, { steps: Array.from({ length: 10_000 }, (_, i) => i), change: started })),
    ).toEqual([['created', 2]]);
    expect(await w.head(wid)).toMatchObject({ stepCount: 10_000, openSteps: 10_000 });
    for (const index of [31, 32, 5_000, 9_998])
      expect(await w.step(wid, index)).toMatchObject({ needs: index, open: 0 });
    const [held] = await w.take('agent', 1, 'q');
    expect(held?.ref).toBe(`${wid}-9999-0`);
    await w.complete(success(held ?? { ref: '', token: '' }));
    expect(await w.step(wid, last)).toMatchObject({ needs: last, open: 0, ok: 1 });
    expect((await w.head(wid)).dirty).toEqual([last]);
  });

  test('10,000 jobs in one change', async () => {
    const w = world();
    const wid = w.wid('fan');
    await w.submit(flow(wid, { jobs: 10_000 }));
    expect(await w.redis.zcard(keys.queue(w.cell, 'q'))).toBe(10_000);
    expect(await w.step(wid, 0)).toMatchObject({ total: 10_000, nextJob: 10_000, open: 10_000 });
    expect((await w.events(wid)).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 10_002 }, (_, i) => i + 1),
    );
  });

  test('a workflow of empty steps ends in the call that creates it, and leaves no timer', async () => {
    const w = world();
    const wid = w.wid('empty');
    const ended = change({
      workflow: ending(State.succeeded),
      steps: [step(0, { state: State.succeeded, total: 0, emitted: 0 })],
      events: [event('step.succeeded', 0, State.succeeded), event('workflow.succeeded', -1, State.succeeded)],
    });
    await w.submit(flow(wid, { change: ended, expireMs: 60_000 }));
    expect(await w.head(wid)).toMatchObject({ state: State.succeeded, openSteps: 0, okSteps: 1 });
    expect((await w.head(wid)).completedAt).toBeGreaterThan(0);
    expect(await w.story(wid)).toEqual(['workflow.created', 'step.succeeded', 'workflow.succeeded']);
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
  });

  test('timers of the workflow and of its jobs start with it', async () => {
    const w = world();
    const wid = w.wid('timed');
    await w.submit(flow(wid, { expireMs: 60_000, queueTimeoutMs: 5_000 }));
    expect(await w.zset(keys.timers(w.cell))).toEqual([`queued|${wid}-0-0`, `expire|${wid}`]);
    const { createdAt } = await w.head(wid);
    expect(Number(await w.redis.zscore(keys.timers(w.cell), `expire|${wid}`))).toBe(createdAt + 60_000);
    expect(Number(await w.redis.zscore(keys.timers(w.cell), `queued|${wid}-0-0`))).toBe(createdAt + 5_000);
  });

  test('bands come first; tenants take turns by cost and weight; within a tenant it is first come, first served', async () => {
    const w = world();
    const name = (wid: string): string => names.get(wid) as string;
    const names = new Map<string, string>();
    const put = async (label: string, options: Parameters<typeof flow>[1]): Promise<void> => {
      const wid = w.wid(label);
      names.set(wid, label);
      await w.submit(flow(wid, options));
    };
    for (let i = 0; i < 4; i++) await put(`a${i}`, { tenant: 'a' });
    for (let i = 0; i < 2; i++) await put(`b${i}`, { tenant: 'b' });
    // Twice the weight: twice the share.
    for (let i = 0; i < 4; i++) await put(`c${i}`, { tenant: 'c', weight: 2000 });
    await put('low', { tenant: 'a', band: 0 });
    await put('high', { tenant: 'a', band: 2 });
    const order = (await w.queue('q')).map((ref) => name(ref.slice(0, 26)));
    expect(order).toEqual(['high', 'a0', 'b0', 'c0', 'c1', 'a1', 'b1', 'c2', 'c3', 'a2', 'a3', 'low']);
  });

  test('word goes to the watcher elsewhere, to one idle coordinator, and about new classes', async () => {
    const w = world();
    w.origin = 'idle';
    await w.claim([ask('agent', 1, 'q')]);
    w.origin = 'c1';
    const wid = w.wid('a');
    const said = await w.overheard(async () => {
      await w.submit(flow(wid, { watch: 'elsewhere', classes: [['q', '']] }));
      // Known already, watched by the caller itself, nobody idle: nothing to say.
      await w.submit(flow(w.wid('b'), { watch: 'c1', classes: [['q', '']] }));
    });
    expect(said).toEqual([['c1', [wid], [['idle', 'q']], {}, ['q']]]);
  });
}
