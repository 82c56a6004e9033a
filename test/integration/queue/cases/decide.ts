/** decide and control: what decisions write, and that only the newest view may write it. */
import { expect, test } from 'vitest';
import type { Change } from '../../../../coordinator/queue/items.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, endOfAll, ending, event, failure, flow, job, step, success } from '../changes.ts';
import type { Granted, World } from '../world.ts';

export function decideCases(world: () => World): void {
  test('a decision applies once; the second call is a conflict', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { steps: [0, 1] }));
    const next = change({
      steps: [step(1, { needs: 0, total: 1, emitted: 1 })],
      jobs: [job({ step: 1 })],
      events: [event('step.ready', 1)],
    });
    const [first, second] = await w.twice(() => w.decide([wid, 1, 0, next, []]));
    expect(first).toEqual([[['ok', 0, State.unassigned]], []]);
    expect(second).toEqual([[['conflict', 1, State.unassigned]], []]);
    expect(await w.head(wid)).toMatchObject({ version: 2, facts: 0 });
    expect(await w.step(wid, 1)).toMatchObject({ needs: 0, total: 1, emitted: 1, nextJob: 1, open: 1 });
    expect((await w.story(wid)).slice(-2)).toEqual(['step.ready', 'job.queued 0']);
    expect(await w.queue('q')).toEqual([`${wid}-0-0`, `${wid}-1-0`]);
  });

  test('of two decisions from the same view only one applies, in one call too; others are not held up', async () => {
    const w = world();
    const [a, b] = [w.wid('a'), w.wid('b')];
    await w.submit(flow(a), flow(b));
    const say = (word: 'step.waiting' | 'step.ready') => change({ events: [event(word, 0)] });
    const [replies] = await w.decide(
      [a, 1, 0, say('step.waiting'), []],
      [a, 1, 0, say('step.ready'), []],
      [b, 1, 0, change(), []],
    );
    expect(replies.map(([status]) => status)).toEqual(['ok', 'conflict', 'ok']);
    expect((await w.story(a)).slice(-1)).toEqual(['step.waiting']);
  });

  test('a workflow nobody knows is gone, and leaves the list of those to decide', async () => {
    const w = world();
    await w.redis.zadd(keys.todo(w.cell), 1, w.wid('gone'));
    expect(await w.twice(() => w.decide([w.wid('gone'), 1, 0, change(), []]))).toEqual([
      [[['gone', 0, 0]], []],
      [[['gone', 0, 0]], []],
    ]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
  });

  test('a range of jobs is canceled whatever their state: in backoff, queued, offered, accepted, running; ended ones stay', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 8, queueTimeoutMs: 60_000 }));
    const grants = await w.take('agent', 6, 'q');
    const [done, failed, offered, accepted, running, back] = grants as [
      Granted,
      Granted,
      Granted,
      Granted,
      Granted,
      Granted,
    ];
    await w.complete(success(done), failure(failed));
    await w.accept([accepted.ref, accepted.token, -1, 0], [running.ref, running.token, 0, 1000]);
    await w.release([back.ref, back.token, 'BUSY']);
    const retry = change({
      steps: [step(0, { failsSeen: 1 })],
      jobs: [job({ slot: 1, attempt: 2, replaces: 1, delayMs: 60_000 })],
    });
    await w.decide([wid, 1, 1, retry, [0]]);
    expect(await w.queue('q')).toEqual([5, 6, 7].map((n) => `${wid}-0-${n}`));

    const stop = change({ cancels: [[0, 0, 9, 'CANCELED_BY_USER', State.skipped]] });
    const said = await w.overheard(async () => {
      const [first, second] = await w.twice(() => w.decide([wid, 2, 1, stop, []]));
      expect(first[0]).toEqual([['ok', 0, State.processing]]);
      const told = [offered, accepted, running].map(({ ref, token }) => [
        ref,
        token,
        'agent',
        'CANCELED_BY_USER',
      ]);
      expect(first[1]).toEqual(told);
      expect(second[1]).toEqual([]);
    });
    expect(said.map((message) => message[3])).toEqual([
      [offered, accepted, running].map(({ ref, token }) => [ref, token, 'agent', 'CANCELED_BY_USER']),
    ]);
    const states = [];
    for (let n = 0; n < 9; n++) states.push((await w.job(`${wid}-0-${n}`)).state);
    const { succeeded, failed: failedState, canceled, skipped } = State;
    // Once claimed, canceled; never claimed, what the decision says.
    expect(states).toEqual([
      succeeded,
      failedState,
      canceled,
      canceled,
      canceled,
      canceled,
      skipped,
      skipped,
      skipped,
    ]);
    expect(await w.job(offered.ref)).toMatchObject({
      hold: 0,
      reason: 'CANCELED_BY_USER',
      token: offered.token,
    });
    expect(await w.queue('q')).toEqual([]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([]);
    expect(await w.zset(keys.leases(w.cell))).toEqual([]);
    expect(await w.step(wid, 0)).toMatchObject({ open: 0, ok: 1, nextJob: 9 });
    // Those that ran are told so when their word comes late.
    expect((await w.complete(success(running)))[0]).toEqual([['done', 0, 0, State.processing]]);
    expect((await w.job(running.ref)).state).toBe(canceled);
    // Timers left over find nothing to do.
    for (const timer of await w.zset(keys.timers(w.cell))) await w.makeDue(keys.timers(w.cell), timer);
    const log = await w.story(wid);
    expect(await w.due()).toEqual([[], [], 0]);
    expect(await w.story(wid)).toEqual(log);
  });

  test('a range may reach beyond the jobs there are, and cover some only', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 5 }));
    await w.decide([wid, 1, 0, change({ cancels: [[0, 3, 300, 'FAIL_FAST', State.skipped]] }), []]);
    await w.decide([wid, 2, 0, change({ cancels: [[0, 0, 1, 'FAIL_FAST', State.canceled]] }), []]);
    expect(await w.queue('q')).toEqual([`${wid}-0-1`, `${wid}-0-2`]);
    expect(await w.step(wid, 0)).toMatchObject({ open: 2, bad: 3 });
    expect((await w.job(`${wid}-0-0`)).state).toBe(State.canceled);
  });

  test('the mark stays while facts came that the decision has not seen', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }));
    const [one, two] = (await w.hold('agent', 2, 'q')) as [Granted, Granted];
    await w.complete(failure(one));
    const seen = await w.head(wid);
    await w.complete(failure(two));
    expect(
      await w.decide([wid, seen.version, seen.facts, change({ steps: [step(0, { failsSeen: 1 })] }), [0]]),
    ).toEqual([[['ok', 1, State.processing]], []]);
    expect(await w.head(wid)).toMatchObject({ dirty: [0], facts: 2, version: 2 });
    expect((await w.step(wid, 0)).fails.map(([ordinal]) => ordinal)).toEqual([1]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([wid]);
    expect((await w.decide([wid, 2, 2, change({ steps: [step(0, { failsSeen: 1 })] }), [0]]))[0]).toEqual([
      ['ok', 0, State.processing],
    ]);
    expect(await w.head(wid)).toMatchObject({ dirty: [] });
    expect((await w.step(wid, 0)).fails).toEqual([]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
  });

  test('how long a workflow waits for its decision is counted from its first fact', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 2 }));
    const [one, two] = (await w.hold('agent', 2, 'q')) as [Granted, Granted];
    await w.complete(failure(one));
    await w.makeDue(keys.todo(w.cell), wid);
    await w.complete(failure(two));
    await w.control(wid);
    expect(await w.redis.zscore(keys.todo(w.cell), wid)).toBe('1');
    // A decision that leaves something, or goes on, is under way: its time starts anew.
    await w.decide([wid, 1, 0, change(), [0]]);
    expect(Number(await w.redis.zscore(keys.todo(w.cell), wid))).toBeGreaterThan(1);
    await w.makeDue(keys.todo(w.cell), wid);
    const { version, facts } = await w.head(wid);
    await w.decide([wid, version, facts, change({ again: [0] }), [-1]]);
    expect(Number(await w.redis.zscore(keys.todo(w.cell), wid))).toBeGreaterThan(1);
  });

  test('steps to look at again stay marked, whether marked before or not', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { steps: [0, 0], jobs: 1 }));
    const [one] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.complete(failure(one));
    expect((await w.decide([wid, 1, 1, change({ again: [1] }), [0]]))[0]).toEqual([
      ['ok', 1, State.processing],
    ]);
    expect((await w.head(wid)).dirty).toEqual([1]);
    expect((await w.decide([wid, 2, 1, change({ again: [1] }), []]))[0]).toEqual([
      ['ok', 1, State.processing],
    ]);
    expect((await w.head(wid)).dirty).toEqual([1]);
    expect((await w.decide([wid, 3, 1, change(), [1]]))[0]).toEqual([['ok', 0, State.processing]]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
  });

  test('a replacement takes over what it replaces, after its backoff', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: [job({ cost: 7, input: '"the input"', slot: 4 })] }));
    const [one] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.complete(failure(one));
    const retry = change({
      steps: [step(0, { failsSeen: 1 })],
      jobs: [job({ slot: 4, cost: 0, attempt: 2, replaces: 0, delayMs: 60_000, queueTimeoutMs: 5_000 })],
    });
    await w.decide([wid, 1, 1, retry, [0]]);
    const replacement = `${wid}-0-1`;
    expect(await w.step(wid, 0)).toMatchObject({ open: 1, bad: 0, nextJob: 2, total: 1, emitted: 1 });
    expect(await w.job(replacement)).toMatchObject({
      state: State.unassigned,
      attempt: 2,
      replaces: 0,
      cost: 7,
      input: '"the input"',
      member: '',
    });
    expect(await w.queue('q')).toEqual([]);
    expect(await w.zset(keys.timers(w.cell))).toEqual([`backoff|${replacement}`, `queued|${replacement}`]);
    await w.makeDue(keys.timers(w.cell), `backoff|${replacement}`);
    await w.twice(() => w.due());
    expect(await w.queue('q')).toEqual([replacement]);
    const [again] = (await w.hold('agent', 1, 'q')) as [Granted];
    expect(again).toMatchObject({ ref: replacement, attempt: 2, cost: 7, input: '"the input"', slot: 4 });
    expect((await w.story(wid)).slice(-2)).toEqual(['job.queued 1', 'job.claimed 1']);
  });

  test('the end of a workflow is written once, with its times, and takes its timer away', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { expireMs: 60_000 }));
    const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.complete(success(held));
    const [first] = await w.twice(() => w.decide([wid, 1, 1, endOfAll(), [0]]));
    expect(first[0]).toEqual([['ok', 0, State.succeeded]]);
    const head = await w.head(wid);
    expect(head).toMatchObject({ state: State.succeeded, openSteps: 0, okSteps: 1 });
    expect(head.completedAt).toBeGreaterThanOrEqual(head.createdAt);
    expect((await w.step(wid, 0)).completedAt).toBe(head.completedAt);
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
    expect(await w.control(wid)).toEqual(['terminal', State.succeeded]);
    expect((await w.story(wid)).at(-1)).toBe('workflow.succeeded');
  });

  test('a workflow that has ended waits for no decision, whatever came since and whatever was to go on', async () => {
    const w = world();
    const [canceled, goingOn] = ['a', 'b'].map((name) => w.wid(name)) as [string, string];
    await w.submit(flow(canceled), flow(goingOn));
    for (const held of await w.hold('agent', 2, 'q')) await w.complete(success(held));
    // Its cancel comes between view and decision; what is said last has nothing to decide.
    await w.control(canceled);
    expect((await w.decide([canceled, 1, 1, endOfAll(), [0]]))[0]).toEqual([['ok', 0, State.succeeded]]);
    const [workflow, steps, jobs, cancels, events] = endOfAll();
    const again: Change = [workflow, steps, jobs, cancels, events, [0]];
    expect((await w.decide([goingOn, 1, 1, again, [0]]))[0]).toEqual([['ok', 0, State.succeeded]]);
    for (const wid of [canceled, goingOn]) expect((await w.head(wid)).dirty).toEqual([]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
  });

  test('reasons, messages and the step at fault are kept; a step that ended is counted once', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { steps: [0, 0], jobs: [job(), job({ step: 1 })] }));
    const failed = change({
      workflow: [0, 'STEP_FAILED', 'Step one failed.', 0, State.failed],
      steps: [
        step(0, { state: State.failed, reason: 'BROKEN', message: 'it broke' }),
        step(1, { close: State.canceled, closePos: 1 }),
      ],
    });
    await w.decide([wid, 1, 0, failed, []]);
    expect(await w.head(wid)).toMatchObject({
      state: State.unassigned,
      closing: State.failed,
      reason: 'STEP_FAILED',
      message: 'Step one failed.',
      failedStep: 0,
      openSteps: 1,
      okSteps: 0,
    });
    expect(await w.step(wid, 0)).toMatchObject({
      state: State.failed,
      reason: 'BROKEN',
      message: 'it broke',
    });
    expect(await w.step(wid, 1)).toMatchObject({ close: State.canceled, closePos: 1 });
    await w.decide([wid, 2, 0, change({ steps: [step(0, { state: State.failed })] }), []]);
    expect(await w.head(wid)).toMatchObject({ openSteps: 1 });
  });

  test('jobs that end while their step is closing bring a decision each time', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }));
    const [one] = (await w.hold('agent', 1, 'q')) as [Granted];
    await w.decide([wid, 1, 0, change({ steps: [step(0, { close: State.canceled })] }), []]);
    expect((await w.complete(success(one)))[0]).toEqual([['ok', 0, 1, State.processing]]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([wid]);
  });

  test('control: a cancel is asked for once, by its owner, of what has not ended', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    expect(await w.control(wid, 'stranger')).toEqual(['gone', 0]);
    expect(await w.control(w.wid('nobody'))).toEqual(['gone', 0]);
    expect(await w.zset(keys.todo(w.cell))).toEqual([]);
    const [first, second] = await w.twice(() => w.control(wid, 'acme', 'enough'));
    expect([first, second]).toEqual([
      ['ok', State.unassigned],
      ['ok', State.unassigned],
    ]);
    await w.control(wid, 'acme', 'said again');
    expect(await w.head(wid)).toMatchObject({
      cancel: 1,
      cancelMessage: 'enough',
      facts: 1,
      dirty: [-1],
      version: 1,
    });
    expect(await w.zset(keys.todo(w.cell))).toEqual([wid]);
    await w.decide([wid, 1, 1, change({ workflow: ending(State.canceled, 'CANCELED_BY_USER') }), [-1]]);
    expect(await w.control(wid)).toEqual(['terminal', State.canceled]);
  });
}
