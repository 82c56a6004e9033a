/** accept, progress, release, complete, emit: what agents say, and the fence that decides whether it counts. */
import { expect, test } from 'vitest';
import { NOT_STARTED, PREPARED } from '../../../../coordinator/queue/items.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, endOfAll, failure, flow, job, step, success } from '../changes.ts';
import { LEASE_MS, ask } from '../world.ts';
import type { Granted, World } from '../world.ts';

/** A token that once was good: the job was claimed, handed back and claimed by another agent. */
async function lostAndHeld(w: World, wid: string): Promise<{ lost: Granted; held: Granted }> {
  await w.submit(flow(wid));
  const [lost] = (await w.take('old', 1, 'q')) as [Granted];
  await w.release([lost.ref, lost.token, 'BUSY']);
  const [held] = (await w.hold('new', 1, 'q')) as [Granted];
  expect(held.token).not.toBe(lost.token);
  return { lost, held };
}

export function factCases(world: () => World): void {
  test('accept: an offer becomes a lease; named again, the lease is extended', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 2 }));
    const [held, other] = (await w.take('agent', 2, 'q')) as [Granted, Granted];
    const [first, second] = await w.twice(() => w.accept([held.ref, held.token, -1, 1000]));
    expect([first, second]).toEqual([['ok'], ['ok']]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([other.ref]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([held.ref]);
    expect(await w.job(held.ref)).toMatchObject({ hold: 2, state: State.scheduled, startedAt: 0 });
    // Not started: the attempt's clock does not run.
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
    await w.makeDue(keys.leases(w.cell), held.ref);
    await w.accept([held.ref, held.token, -1, 0]);
    const ends = Number(await w.redis.zscore(keys.leases(w.cell), held.ref));
    expect(Math.abs(ends - LEASE_MS - Date.now())).toBeLessThan(10_000);
  });

  test('accept: what is fetched for a job is told; its attempt has not begun, and a start is not undone', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.twice(() => w.accept([held.ref, held.token, PREPARED, 0, '{"model":"m"}']));
    expect(await w.job(held.ref)).toMatchObject({ hold: 2, state: State.preparing, startedAt: 0 });
    expect(await w.step(wid, 0)).toMatchObject({ state: State.scheduled });
    // Still held, as heartbeats say.
    await w.accept([held.ref, held.token, NOT_STARTED, 0]);
    expect(await w.job(held.ref)).toMatchObject({ state: State.preparing });
    await w.accept([held.ref, held.token, 0, 0]);
    await w.accept([held.ref, held.token, PREPARED, 0, '{"model":"m"}']);
    expect(await w.job(held.ref)).toMatchObject({ state: State.processing });
    expect((await w.story(wid)).slice(-5)).toEqual([
      'job.claimed 0',
      'job.preparing 0',
      'workflow.started',
      'step.started',
      'job.started 0',
    ]);
    expect(await w.job(held.ref)).toMatchObject({ message: '' });
  });

  test('accept: a start is told once, and starts the attempt timer', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.twice(() => w.accept([held.ref, held.token, 40, 1000]));
    const { startedAt } = (await w.job(held.ref)) as unknown as { startedAt: number };
    expect(await w.job(held.ref)).toMatchObject({ state: State.processing, hold: 2 });
    expect(await w.head(wid)).toMatchObject({ state: State.processing, startedAt });
    expect(await w.step(wid, 0)).toMatchObject({ state: State.processing, startedAt });
    const timer = `attempt|${held.ref}|${held.token}`;
    expect(Number(await w.redis.zscore(keys.timers(w.cell), timer))).toBe(startedAt + 1000);
    // A later heartbeat that repeats the start moves neither.
    await w.accept([held.ref, held.token, 5_000, 1000]);
    expect(await w.job(held.ref)).toMatchObject({ startedAt });
    expect(Number(await w.redis.zscore(keys.timers(w.cell), timer))).toBe(startedAt + 1000);
    expect((await w.story(wid)).slice(-4)).toEqual([
      'job.claimed 0',
      'workflow.started',
      'step.started',
      'job.started 0',
    ]);
  });

  test('accept: the attempt timer starts even where progress was faster than the start', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    await w.progress([held.ref, held.token, 0.1, '']);
    const { startedAt } = (await w.job(held.ref)) as unknown as { startedAt: number };
    await w.accept([held.ref, held.token, 40, 1000]);
    expect(Number(await w.redis.zscore(keys.timers(w.cell), `attempt|${held.ref}|${held.token}`))).toBe(
      startedAt + 1000,
    );
  });

  test('progress: implies a start and a lease, never falls, and is said once', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    const said: [string, string, number, string] = [held.ref, held.token, 0.5, 'halfway'];
    await w.twice(() => w.progress(said));
    expect(await w.job(held.ref)).toMatchObject({
      state: State.processing,
      hold: 2,
      progress: 0.5,
      progressSource: 2,
    });
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([held.ref]);
    expect(await w.progress([held.ref, held.token, 0.2, ''])).toEqual(['ok']);
    expect(await w.job(held.ref)).toMatchObject({ progress: 0.5 });
    const last = (await w.events(wid)).at(-1);
    expect(last).toMatchObject({ type: 'job.progress', rest: ['agent', '', 'halfway', 0.5] });
    expect((await w.story(wid)).filter((line) => line.startsWith('job.progress'))).toHaveLength(1);
  });

  test('release: back to the front of its queue, fence void', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    const before = await w.job(held.ref);
    await w.progress([held.ref, held.token, 0.3, '']);
    expect(await w.twice(() => w.release([held.ref, held.token, 'DRAINING']))).toEqual([['ok'], ['lost']]);
    expect(await w.queue('q')).toEqual([0, 1, 2].map((n) => `${wid}-0-${n}`));
    expect(await w.job(held.ref)).toMatchObject({
      state: State.unassigned,
      hold: 0,
      token: '',
      progress: -1,
      startedAt: 0,
      attempt: 1,
      claims: 1,
      recoveries: 0,
      score: before.score,
      member: before.member,
    });
    expect(await w.zset(keys.leases(w.cell))).toEqual([]);
    expect((await w.events(wid)).at(-1)).toMatchObject({ type: 'job.released', rest: ['agent', 'DRAINING'] });
  });

  test('a job handed back is first again, even where its queue had drained and its clocks are gone', async () => {
    const w = world();
    const [first, second, third] = ['a', 'b', 'c'].map((name) => w.wid(name)) as [string, string, string];
    await w.submit(flow(first), flow(second, { cost: 9 }));
    const [done, held] = (await w.hold('agent', 2, 'q')) as [Granted, Granted];
    await w.complete(success(done));
    await w.submit(flow(third));
    await w.release([held.ref, held.token, 'DRAINING']);
    expect(await w.queue('q')).toEqual([held.ref, `${third}-0-0`]);
    // And once newer jobs have moved the clocks on.
    const [again] = (await w.hold('agent', 1, 'q')) as [Granted];
    expect(again.ref).toBe(held.ref);
    for (const name of ['d', 'e', 'f']) await w.submit(flow(w.wid(name), { cost: 5 }));
    await w.take('agent', 2, 'q');
    await w.release([again.ref, again.token, 'DRAINING']);
    expect((await w.queue('q'))[0]).toBe(held.ref);
  });

  test('complete: the job ends, its step counts it, nobody else is asked before the step is done', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 2 }));
    const [one, two] = (await w.hold('agent', 2, 'q')) as [Granted, Granted];
    const [first, second] = await w.twice(() => w.complete(success(one, '{"n":1}')));
    expect(first).toEqual([[['ok', 0, 0, State.processing]], []]);
    expect(second).toEqual([[['done', 0, 0, State.processing]], []]);
    expect(await w.job(one.ref)).toMatchObject({
      state: State.succeeded,
      output: '{"n":1}',
      hold: 0,
      token: one.token,
      progress: 1,
      runMs: 5,
    });
    expect(await w.step(wid, 0)).toMatchObject({ state: State.processing, open: 1, ok: 1, bad: 0 });
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([two.ref]);
    expect(await w.meta('wasted')).toBeNull();

    expect((await w.complete(success(two)))[0]).toEqual([['ok', 0, 1, State.processing]]);
    expect(await w.head(wid)).toMatchObject({ facts: 1, dirty: [0], version: 1 });
    expect(await w.zset(keys.todo(w.cell))).toEqual([wid]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([]);
    const story = (await w.story(wid)).slice(-5);
    expect(story).toEqual([
      'step.started',
      'job.started 0',
      'job.succeeded 0',
      'job.started 1',
      'job.succeeded 1',
    ]);
  });

  test('complete: straight from an offer, and twice in one call', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    expect((await w.complete(success(held), failure(held)))[0].map(([live]) => live)).toEqual(['ok', 'done']);
    expect(await w.job(held.ref)).toMatchObject({ state: State.succeeded });
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
  });

  test('complete: a failure is weighed by a decision', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 2 }));
    const [one, two] = (await w.hold('agent', 2, 'q')) as [Granted, Granted];
    const [first] = await w.twice(() => w.complete(failure(one, 'OUT_OF_MEMORY')));
    expect(first[0]).toEqual([['ok', 0, 1, State.processing]]);
    await w.complete([
      two.ref,
      two.token,
      State.expired,
      '',
      'DEADLINE_EXCEEDED_RUNNING',
      '',
      0,
      1,
      1,
      0,
      0,
      false,
      [],
    ]);
    expect(await w.step(wid, 0)).toMatchObject({
      open: 0,
      ok: 0,
      bad: 2,
      fails: [
        [0, State.failed, 'OUT_OF_MEMORY', 'it broke', 1, 0, 1],
        [1, State.expired, 'DEADLINE_EXCEEDED_RUNNING', '', 1, 1, 0],
      ],
    });
    expect(await w.head(wid)).toMatchObject({ facts: 2, dirty: [0] });
    expect(await w.job(two.ref)).toMatchObject({
      state: State.expired,
      reason: 'DEADLINE_EXCEEDED_RUNNING',
      progress: -1,
    });
    expect((await w.story(wid)).slice(-3)).toEqual(['job.failed 0', 'job.started 1', 'job.expired 1']);
  });

  test('a fence that is not the live one moves nothing, whoever holds it', async () => {
    const w = world();
    const wid = w.wid('a');
    const { lost, held } = await lostAndHeld(w, wid);
    const before = await w.dump();
    const fakes: { ref: string; token: string }[] = [
      lost,
      { ref: held.ref, token: '' },
      { ref: held.ref, token: `${held.token}x` },
      { ref: `${wid}-0-1`, token: held.token },
      { ref: `${wid}-1-0`, token: held.token },
      { ref: `${w.wid('nobody')}-0-0`, token: held.token },
      { ref: 'nonsense', token: held.token },
      { ref: `${wid}-x`, token: held.token },
      { ref: wid, token: held.token },
      { ref: '', token: '' },
    ];
    const all = fakes.map(() => 'lost');
    expect(
      await w.accept(...fakes.map(({ ref, token }): [string, string, number, number] => [ref, token, 5, 5])),
    ).toEqual(all);
    expect(
      await w.progress(
        ...fakes.map(({ ref, token }): [string, string, number, string] => [ref, token, 0.9, '']),
      ),
    ).toEqual(all);
    expect(
      await w.release(...fakes.map(({ ref, token }): [string, string, string] => [ref, token, ''])),
    ).toEqual(all);
    expect(
      await w.emit(
        ...fakes.map(({ ref, token }): [string, string, number, string[]] => [ref, token, 1, ['1']]),
      ),
    ).toEqual(all);
    expect(await w.dump()).toEqual(before);
    for (const finish of [success, failure] as const) {
      const [replies] = await w.complete(...fakes.map((fake) => finish(fake)));
      expect(replies.map(([live]) => live)).toEqual(all);
    }
    // Work done for nothing is counted; nothing else happened.
    expect(await w.meta('wasted')).toBe(String(2 * fakes.length));
    before.get(keys.meta(w.cell));
    await w.redis.hdel(keys.meta(w.cell), 'wasted');
    expect(await w.dump()).toEqual(before);
  });

  test('nonsense in a batch costs the others nothing', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 9 }));
    const grants = await w.hold('agent', 5, 'q');
    const nonsense = ['', wid, `${wid}-0`, `${wid}-0-x`, 'x', 'x'.repeat(26), `${w.wid('nobody')}-0-0`];
    const [first, ...rest] = grants as [Granted, ...Granted[]];
    const mixed = [
      ...nonsense.map((ref) => ({ ref, token: first.token })),
      ...rest,
      ...nonsense.map((ref) => ({ ref, token: '' })),
    ];
    const expected = mixed.map(({ ref }) => (rest.some((held) => held.ref === ref) ? 'ok' : 'lost'));
    expect(
      await w.accept(...mixed.map(({ ref, token }): [string, string, number, number] => [ref, token, -1, 0])),
    ).toEqual(expected);
    expect((await w.complete(...mixed.map((held) => success(held))))[0].map(([live]) => live)).toEqual(
      expected,
    );
    expect(await w.step(wid, 0)).toMatchObject({ open: 5, ok: 4 });
    expect(await w.zset(keys.leases(w.cell))).toEqual([first.ref]);
  });

  test('texts of any length and kind come back whole', async () => {
    const w = world();
    const wid = w.wid('a');
    const long = `é漢🎈\0\r\n"\\ ${'x'.repeat(70_000)}`;
    const name = 'n'.repeat(300);
    await w.submit(
      flow(wid, {
        jobs: [0, 1, 2].map((slot) => job({ slot, input: JSON.stringify(long), queue: `q ${name}` })),
        tenant: name,
      }),
    );
    const [one, two, three] = (await w.take(`agent ${name}`, 3, `q ${name}`)) as [Granted, Granted, Granted];
    expect(one.input).toBe(JSON.stringify(long));
    await w.progress([one.ref, one.token, 0.5, long]);
    await w.complete(success(one, JSON.stringify(long)), [
      two.ref,
      two.token,
      State.failed,
      '',
      long,
      long,
      1,
      0,
      0,
      0,
      0,
      false,
      [],
    ]);
    await w.release([three.ref, three.token, long]);
    expect(await w.job(one.ref)).toMatchObject({
      state: State.succeeded,
      output: JSON.stringify(long),
      agent: `agent ${name}`,
    });
    expect(await w.job(two.ref)).toMatchObject({
      state: State.failed,
      reason: long,
      message: long,
      agents: '',
    });
    expect(await w.job(three.ref)).toMatchObject({ state: State.unassigned, class: `q ${name}` });
    expect((await w.step(wid, 0)).fails).toEqual([[1, State.failed, long, long, 1, 1, 1]]);
    expect((await w.events(wid)).find(({ type }) => type === 'job.failed')?.rest).toEqual([
      `agent ${name}`,
      long,
      long,
    ]);
    const { version, facts } = await w.head(wid);
    await w.decide([
      wid,
      version,
      facts,
      change({ workflow: [0, long, long, 0, 0], steps: [step(0, { reason: long, message: long })] }),
      [0],
    ]);
    expect(await w.head(wid)).toMatchObject({ reason: long, message: long, tenant: name });
    expect(await w.step(wid, 0)).toMatchObject({ reason: long, message: long, open: 1 });
  });

  test('nothing moves a job that has ended', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.complete(success(held, '"the result"'));
    const before = await w.dump();
    expect(await w.accept([held.ref, held.token, 0, 1000])).toEqual(['done']);
    expect(await w.progress([held.ref, held.token, 0.9, ''])).toEqual(['done']);
    expect(await w.release([held.ref, held.token, ''])).toEqual(['done']);
    expect(await w.emit([held.ref, held.token, 1, ['1']])).toEqual(['done']);
    expect((await w.complete(failure(held)))[0]).toEqual([['done', 0, 0, State.processing]]);
    expect(await w.dump()).toEqual(before);
  });

  test('decided ahead: fact and decision in one call where version and facts still match', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { expireMs: 60_000 }));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    const ahead = { version: 1, facts: 0, change: endOfAll(), seen: [0] };
    const [first, second] = await w.twice(() => w.complete(success(held, '{}', ahead)));
    expect(first).toEqual([[['ok', 1, 0, State.succeeded]], []]);
    expect(second[0]).toEqual([['done', 0, 0, State.succeeded]]);
    expect(await w.head(wid)).toMatchObject({
      version: 2,
      facts: 0,
      state: State.succeeded,
      openSteps: 0,
      okSteps: 1,
      dirty: [],
    });
    expect(await w.step(wid, 0)).toMatchObject({ state: State.succeeded, open: 0, ok: 1 });
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
    expect((await w.story(wid)).slice(-3)).toEqual([
      'job.succeeded 0',
      'step.succeeded',
      'workflow.succeeded',
    ]);
  });

  test('decided ahead: a version or facts that moved, and a failure, leave the decision to be made anew', async () => {
    const w = world();
    const make = async (name: string, options: Parameters<typeof flow>[1] = {}) => {
      await w.submit(flow(w.wid(name), { queue: name, ...options }));
      return w.hold('agent', 9, name);
    };
    const ahead = { version: 1, facts: 0, change: endOfAll(), seen: [0] };
    const [moved] = (await make('version')) as [Granted];
    await w.decide([w.wid('version'), 1, 0, change(), []]);
    const [one, two] = (await make('facts', { jobs: 2 })) as [Granted, Granted];
    await w.complete(failure(one));
    const [canceled] = (await make('cancel')) as [Granted];
    await w.control(w.wid('cancel'));
    const [failed] = (await make('failure')) as [Granted];
    const [replies] = await w.complete(
      success(moved, '{}', ahead),
      success(two, '{}', ahead),
      success(canceled, '{}', ahead),
      ...([
        [failed.ref, failed.token, State.failed, '', 'BROKEN', '', 0, 1, 1, 1, 0, endOfAll(), [0]],
      ] as Parameters<World['complete']>),
    );
    expect(replies).toEqual(Array.from({ length: 4 }, () => ['ok', 0, 1, State.processing]));
    for (const name of ['version', 'facts', 'cancel', 'failure']) {
      expect(await w.head(w.wid(name))).toMatchObject({ state: State.processing, openSteps: 1 });
      expect((await w.story(w.wid(name))).at(-1)).toMatch(/^job\.(succeeded|failed)/);
    }
    expect((await w.zset(keys.todo(w.cell))).sort()).toEqual(
      ['version', 'facts', 'cancel', 'failure'].map((name) => w.wid(name)).sort(),
    );
    expect((await w.head(w.wid('cancel'))).dirty).toEqual([-1, 0]);
  });

  test('decided ahead: the next step starts in the same call', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { steps: [0, 1] }));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    const next = change({
      steps: [step(0, { state: State.succeeded }), step(1, { needs: 0, total: 1, emitted: 1 })],
      jobs: [job({ step: 1, queue: 'next', input: '{"from":0}' })],
    });
    const ahead = { version: 1, facts: 0, change: next, seen: [0] };
    w.origin = 'idle';
    await w.claim([ask('other', 1, 'next')]);
    w.origin = 'c1';
    const said = await w.overheard(() => w.twice(() => w.complete(success(held, '{}', ahead))));
    expect(said.map((message) => message[2])).toEqual([[['idle', 'next']]]);
    const [grant] = await w.take('other', 1, 'next');
    expect(grant).toMatchObject({ ref: `${wid}-1-0`, input: '{"from":0}' });
    expect(await w.head(wid)).toMatchObject({ openSteps: 1, okSteps: 1, dirty: [] });
  });

  test('emit: a batch stored by an earlier claim or attempt is there once', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [first] = (await w.hold('one', 1, 'q')) as [Granted];
    expect(await w.emit([first.ref, first.token, 1, ['"x"', '"y"']])).toEqual(['ok']);
    await w.release([first.ref, first.token, 'DRAINING']);
    const [second] = (await w.hold('two', 1, 'q')) as [Granted];
    expect(second.ref).toBe(first.ref);
    expect(await w.emit([second.ref, second.token, 1, ['"x"', '"y"']])).toEqual(['done']);
    await w.complete(failure(second));
    const { version, facts } = await w.head(wid);
    const retry = change({ steps: [step(0, { failsSeen: 1 })], jobs: [job({ attempt: 2, replaces: 0 })] });
    expect((await w.decide([wid, version, facts, retry, [0]]))[0][0]?.[0]).toBe('ok');
    const grants = await w.hold('two', 3, 'q');
    const third = grants.find(({ attempt }) => attempt === 2) as Granted;
    expect(await w.emit([third.ref, third.token, 1, ['"x"', '"y"']])).toEqual(['done']);
    expect(await w.emit([third.ref, third.token, 2, ['"z"']])).toEqual(['ok']);
    expect(await w.step(wid, 0)).toMatchObject({ total: 4, open: 4, nextJob: 5 });
  });

  test('emit: further jobs of the same step, each batch once', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { cost: 3, band: 2 }));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    expect(await w.twice(() => w.emit([held.ref, held.token, 1, ['"x"', '"y"']]))).toEqual([
      ['ok'],
      ['done'],
    ]);
    expect(await w.emit([held.ref, held.token, 1, ['"again"']], [held.ref, held.token, 2, ['"z"']])).toEqual([
      'done',
      'ok',
    ]);
    expect(await w.step(wid, 0)).toMatchObject({ total: 4, emitted: 4, nextJob: 4, open: 4 });
    const grants = await w.take('agent', 9, 'q');
    expect(grants.map(({ ref, input, slot, cost, attempt }) => [ref, input, slot, cost, attempt])).toEqual([
      [`${wid}-0-1`, '"x"', 1, 3, 1],
      [`${wid}-0-2`, '"y"', 2, 3, 1],
      [`${wid}-0-3`, '"z"', 3, 3, 1],
    ]);
    expect(await w.job(`${wid}-0-1`)).toMatchObject({ band: 2, class: 'q' });
    // An agent that takes the job over says the same again: no job comes twice.
    await w.release([held.ref, held.token, 'BUSY']);
    const [taken] = (await w.take('other', 1, 'q')) as [Granted];
    expect(taken.ref).toBe(held.ref);
    expect(
      await w.emit([taken.ref, taken.token, 1, ['"x"', '"y"']], [taken.ref, taken.token, 3, ['"new"']]),
    ).toEqual(['done', 'ok']);
    expect(await w.step(wid, 0)).toMatchObject({ total: 5, open: 5 });
  });

  test('emit: a decision made before it would end the step too early, so it no longer applies', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.emit([held.ref, held.token, 1, ['"x"']]);
    const ahead = { version: 1, facts: 0, change: endOfAll(), seen: [0] };
    expect((await w.complete(success(held, '{}', ahead)))[0]).toEqual([['ok', 0, 0, State.processing]]);
    expect(await w.step(wid, 0)).toMatchObject({ state: State.processing, open: 1, ok: 1, total: 2 });
  });
}
