/** Runs: many jobs in one record, and what takes one of them out of it. */
import { expect, test } from 'vitest';
import type { CompletedSlice } from '../../../../coordinator/queue/items.ts';
import { keys, parseJobRef } from '../../../../coordinator/queue/keys.ts';
import { Reads } from '../../../../coordinator/queue/reads.ts';
import type { JobRecord } from '../../../../coordinator/queue/reads.ts';
import { Standing } from '../../../../coordinator/queue/standing.ts';
import { BAND_SHIFT, RUN_JOBS } from '../../../../coordinator/queue/records.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, failure, flow, job, success } from '../changes.ts';
import { ask } from '../world.ts';
import type { Granted, World } from '../world.ts';

const inputs = (count: number): string[] => Array.from({ length: count }, (_, n) => `"in ${n}"`);

async function jobOf(w: World, ref: string): Promise<JobRecord | undefined> {
  const { wid, step, ordinal } = parseJobRef(ref);
  const [found] = await new Reads(w.redis).jobs(w.cell, wid, step, ordinal, ordinal + 1);
  return found;
}

/** Successes of jobs granted in one call, as the coordinator sends them. */
function sliceOf(wid: string, grants: readonly Granted[]): CompletedSlice {
  return [
    wid,
    0,
    grants.map(({ ref }) => parseJobRef(ref).ordinal),
    grants.map(({ token }) => Number.parseInt(token, 16)),
    grants[0]?.token.split('.')[1] ?? '',
    grants.map(({ slot }) => `"out ${slot}"`),
    grants.map(() => 7),
    grants.map(() => 5),
  ];
}

function endSlice(w: World, slice: CompletedSlice) {
  return w.scripts.call('complete', w.cell, [w.nextTag(), w.origin, [], [], [slice]]);
}

const fields = (w: World, wid: string): Promise<string[]> => w.redis.hkeys(keys.bucket(w.cell, wid));

export function runCases(world: () => World): void {
  test('a wide fan-out is an entry and two records a block; claims and ends write no more for each job', async () => {
    const w = world();
    const wid = w.wid('a');
    const count = 2 * RUN_JOBS + 5;
    await w.submit(flow(wid, { run: inputs(count) }));
    expect(await w.redis.zcard(keys.queue(w.cell, 'q'))).toBe(3);
    expect(await w.queue('q')).toEqual(Array.from({ length: count }, (_, n) => `${wid}-0-${n}`));
    expect((await fields(w, wid)).sort()).toEqual(
      [wid, `${wid}p`, ...[0, 1, 2].flatMap((k) => [`${wid}-0i${k}`, `${wid}-0r${k}`])].sort(),
    );
    const grants = await w.take('agent', RUN_JOBS, 'q');
    expect(grants.map(({ slot }) => slot)).toEqual(Array.from({ length: RUN_JOBS }, (_, n) => n));
    expect(new Set(grants.map(({ token }) => token)).size).toBe(RUN_JOBS);
    expect(await w.zset(keys.offers(w.cell))).toEqual([`${wid}-0-0+${RUN_JOBS}`]);
    const run = await new Reads(w.redis).runInputs(w.cell, wid, 0, 3);
    expect(run?.inputs.slice(0, 2)).toEqual(['"in 0"', '"in 1"']);

    await endSlice(w, sliceOf(wid, grants));
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
    expect((await fields(w, wid)).filter((field) => /^.{26}-0.0$/.test(field)).sort()).toEqual([
      `${wid}-0d0`,
      `${wid}-0r0`,
    ]);
    expect(await jobOf(w, `${wid}-0-9`)).toMatchObject({
      state: State.succeeded,
      output: '"out 9"',
      agent: 'agent',
      attempt: 1,
      token: grants[9]?.token,
    });
    expect(await w.step(wid, 0)).toMatchObject({ open: RUN_JOBS + 5, ok: RUN_JOBS });
    // Every job has its own events, in order.
    const story = await w.story(wid);
    for (let n = 0; n < RUN_JOBS; n++)
      expect(story.filter((line) => line.endsWith(` ${n}`))).toEqual(
        ['queued', 'claimed', 'started', 'succeeded'].map((what) => `job.${what} ${n}`),
      );
  });

  test('asks share a run evenly, each gets its jobs in a row', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { run: 7 }));
    const { grants, short } = await w.claim([ask('x', 5, 'q'), ask('y', 1, 'q'), ask('z', 9, 'q')]);
    const slots = (index: number): number[] =>
      grants.filter((grant) => grant.ask === index).map(({ slot }) => slot);
    expect([slots(0), slots(1), slots(2)]).toEqual([[0, 1, 2], [3], [4, 5, 6]]);
    expect(short).toEqual([2, 0, 6]);
  });

  test('two tenants take turns, whatever came first', async () => {
    const w = world();
    const [one, other] = [w.wid('a'), w.wid('b')];
    await w.submit(flow(one, { run: 6 }));
    await w.submit(flow(other, { run: 6, tenant: 'globex' }));
    const order = (await w.claim([ask('x', 12, 'q')])).grants.map(({ ref }) => ref);
    expect(order).toHaveLength(12);
    // Runs are handed out whole at the end of a call: what counts is who is served when less is taken.
    const w2 = world();
    await w2.submit(flow(w2.wid('a'), { run: 6 }));
    await w2.submit(flow(w2.wid('b'), { run: 6, tenant: 'globex' }));
    for (let turn = 0; turn < 3; turn++) {
      const refs = (await w2.take('x', 4, 'q')).map(({ ref }) => ref.slice(0, 26));
      expect(refs.filter((wid) => wid === w2.wid('a'))).toHaveLength(2);
    }
  });

  test('a failure, a release, a lapse, an accept and a heartbeat each take one job out, with its input', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { run: inputs(8) }));
    const [failed, released, accepted, other, kept] = (await w.take('agent', 6, 'q')) as [
      Granted,
      Granted,
      Granted,
      Granted,
      Granted,
    ];
    await w.complete(failure(failed));
    await w.release([released.ref, released.token, 'BUSY']);
    await w.accept([accepted.ref, accepted.token, 3, 0]);
    await w.complete(success(other));
    expect(await w.job(failed.ref)).toMatchObject({ state: State.failed, input: '"in 0"' });
    expect(await w.job(released.ref)).toMatchObject({ state: State.unassigned, input: '"in 1"', claims: 1 });
    expect(await w.job(accepted.ref)).toMatchObject({ state: State.processing, hold: 2, input: '"in 2"' });
    expect(await w.job(other.ref)).toMatchObject({ state: State.succeeded, input: '' });
    // The released one is in front of those that were never taken.
    expect(await w.queue('q')).toEqual([released.ref, `${wid}-0-6`, `${wid}-0-7`]);
    expect(await jobOf(w, kept.ref)).toMatchObject({ own: false, hold: 1, token: kept.token });

    await w.makeDue(keys.offers(w.cell), `${wid}-0-0+6`);
    await w.setMeta('dueAt', Date.now());
    const [lapsed] = await w.due();
    expect(lapsed.map(([ref]) => ref)).toEqual([kept.ref, `${wid}-0-5`]);
    expect(await w.job(kept.ref)).toMatchObject({ state: State.unassigned, token: '', input: '"in 4"' });
    expect(await w.queue('q')).toEqual([released.ref, kept.ref, `${wid}-0-5`, `${wid}-0-6`, `${wid}-0-7`]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
  });

  test('a late word on a job that has ended in a chunk: done by its own token, lost by another', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { run: 5 }));
    const grants = await w.take('agent', 3, 'q');
    const slice = sliceOf(wid, grants);
    const [[first], [again]] = await w.twice(() => endSlice(w, slice));
    expect(first.map(([live]) => live)).toEqual(['ok', 'ok', 'ok']);
    expect(again.map(([live]) => live)).toEqual(['done', 'done', 'done']);
    const [one] = grants as [Granted];
    const [late] = await w.complete(success(one), success({ ref: one.ref, token: '1.zzz' }));
    expect(late.map(([live]) => live)).toEqual(['done', 'lost']);
    expect(await w.accept([one.ref, one.token, -1, 0])).toEqual(['done']);
    expect(await w.step(wid, 0)).toMatchObject({ open: 2, ok: 3 });
  });

  test('a cancel ends those that wait and those that are held; nothing of the run is left', async () => {
    const w = world();
    const wid = w.wid('a');
    const count = RUN_JOBS + 10;
    await w.submit(flow(wid, { run: inputs(count) }));
    const held = await w.take('agent', 5, 'q');
    const { version, facts } = await w.head(wid);
    const ends = change({ cancels: [[0, 0, count, 'CANCELED_BY_USER', State.skipped]] });
    const [, told] = (await w.decide([wid, version, facts, ends, []])) as [unknown, string[][]];
    expect(told.map(([ref, token]) => [ref, token])).toEqual(held.map(({ ref, token }) => [ref, token]));
    expect(await w.queue('q')).toEqual([]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
    expect((await fields(w, wid)).filter((field) => /-0[rid]\d+$/.test(field))).toEqual([]);
    expect(await w.job(`${wid}-0-4`)).toMatchObject({ state: State.canceled });
    expect(await w.job(`${wid}-0-70`)).toMatchObject({ state: State.skipped });
    expect(await w.step(wid, 0)).toMatchObject({ open: 0, bad: count });
  });

  test('jobs that end while they wait leave holes', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { run: inputs(8) }));
    await w.take('agent', 1, 'q');
    const { version, facts } = await w.head(wid);
    await w.decide([
      wid,
      version,
      facts,
      change({
        cancels: [
          [0, 1, 3, 'NO', State.skipped],
          [0, 5, 6, 'NO', State.skipped],
        ],
      }),
      [],
    ]);
    expect(await w.zset(keys.queue(w.cell, 'q'))).toEqual([expect.stringMatching(/:.*-0-3\+4$/)]);
    const grants = await w.take('agent', 9, 'q');
    expect(grants.map(({ slot }) => slot)).toEqual([3, 4, 6, 7]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([`${wid}-0-0+1`, `${wid}-0-3+2`, `${wid}-0-6+2`]);
    await endSlice(w, sliceOf(wid, grants));
    expect(await w.step(wid, 0)).toMatchObject({ open: 1, ok: 4, bad: 3 });
  });

  test('a block that has its run gives further jobs records of their own', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { run: 4 }));
    const { version, facts } = await w.head(wid);
    const more = change({ runs: [[0, 4, 'q', 1, 1, inputs(RUN_JOBS)]] });
    await w.decide([wid, version, facts, more, []]);
    expect(await w.job(`${wid}-0-4`)).toMatchObject({ input: '"in 0"', slot: 4 });
    expect(await w.job(`${wid}-0-63`)).toMatchObject({ input: '"in 59"' });
    expect(await jobOf(w, `${wid}-0-64`)).toMatchObject({ own: false, slot: 64 });
    expect(await w.queue('q')).toHaveLength(RUN_JOBS + 4);
  });

  test('at the end of its band a job that comes back stays in it', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.redis.hset(keys.fair(w.cell, 'q'), 'F1|acme', String(BAND_SHIFT - 2));
    await w.submit(flow(wid, { run: 4 }));
    const [, second] = (await w.take('agent', 2, 'q')) as [Granted, Granted];
    await w.release([second.ref, second.token, 'BUSY']);
    const scores = await w.redis.zrange(keys.queue(w.cell, 'q'), '0', '-1', 'WITHSCORES');
    for (let i = 1; i < scores.length; i += 2) expect(Math.floor(Number(scores[i]) / BAND_SHIFT)).toBe(1);
    expect(await w.take('agent', 9, 'q')).toHaveLength(3);
  });

  test('what one agent has lost is not passed by a run behind it', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [lost] = await w.hold('one', 1, 'q');
    await w.makeDue(keys.leases(w.cell), lost?.ref ?? '');
    await w.setMeta('sweptAt', Date.now());
    await w.sweep();
    await w.submit(flow(w.wid('b'), { run: 8 }));
    const { grants } = await w.claim([ask('one', 4, 'q'), ask('two', 4, 'q')], { avoidMs: 60_000 });
    expect(grants.find(({ ref }) => ref === lost?.ref)?.ask).toBe(1);
  });

  test('positions count the jobs of entries ahead', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { run: 9 }));
    await w.submit(flow(w.wid('b')));
    await w.take('agent', 2, 'q');
    const standing = new Standing(w.redis, new Reads(w.redis), w.cell);
    const position = async (ref: string): Promise<number> => {
      const { wid: of, step, ordinal } = parseJobRef(ref);
      return (await standing.of(of, step, ordinal, (await jobOf(w, ref)) as JobRecord))?.position ?? 0;
    };
    expect(await position(`${wid}-0-2`)).toBe(1);
    expect(await position(`${wid}-0-8`)).toBe(7);
    expect(await position(`${w.wid('b')}-0-0`)).toBe(8);
    expect(await position(`${wid}-0-1`)).toBe(0);
  });

  test('one call that is asked for many takes a few of a class in a row, but never of a lower band', async () => {
    const w = world();
    const [one, other, urgent] = [w.wid('a'), w.wid('b'), w.wid('c')];
    const jobs = (queue: string) => Array.from({ length: 40 }, (_, slot) => job({ slot, queue }));
    // In turn, so that the ages of the two classes are mixed.
    for (let n = 0; n < 40; n += 10) {
      await w.submit(flow(w.wid(`a${n}`), { jobs: jobs('x').slice(0, 10) }));
      await w.submit(flow(w.wid(`b${n}`), { jobs: jobs('y').slice(0, 10) }));
    }
    await w.submit(flow(urgent, { queue: 'y', band: 2, jobs: 3 }));
    const few = await w.take('agent', 4, 'x', 'y');
    expect(few.map(({ ref }) => ref.slice(0, 26))).toEqual([urgent, urgent, urgent, w.wid('a0')]);
    const many = (await w.take('agent', 64, 'x', 'y')).map(({ ref }) => ref.slice(0, 26));
    expect(many).toHaveLength(64);
    const changes = many.filter((wid, i) => i > 0 && wid !== many[i - 1]).length;
    expect(changes).toBeLessThan(24);
    expect([one, other].some((wid) => many.includes(wid))).toBe(false);
  });
}
