/** Solo records: one plain job in one record, told from head, step and job by nobody who asks. */
import { expect, test } from 'vitest';
import { unpack } from '../../../../coordinator/queue/codec.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { Reads } from '../../../../coordinator/queue/reads.ts';
import { isSolo } from '../../../../coordinator/queue/solo.ts';
import { readHead } from '../../../../coordinator/workflow/view.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, endOfAll, failure, flow, solo, success } from '../changes.ts';
import type { Granted, World } from '../world.ts';

async function stored(w: World, wid: string): Promise<Buffer> {
  return (await w.redis.hgetBuffer(keys.bucket(w.cell, wid), wid)) as Buffer;
}

/** One in each of its states: waiting, claimed, ended. */
async function three(w: World): Promise<Record<'waiting' | 'claimed' | 'ended', string>> {
  const [ended, claimed, waiting] = ['e', 'c', 'w'].map((name) => w.wid(name)) as [string, string, string];
  for (const wid of [ended, claimed, waiting]) {
    await w.submitSolos(solo(wid, { tenant: 'globex', weight: 2000, band: 2, cost: 2.5, watch: 'c7' }));
  }
  const [held] = (await w.take('agent', 2, 'q')) as [Granted];
  await w.complete(success(held, '"the output"'));
  return { waiting, claimed, ended };
}

export function soloCases(world: () => World): void {
  test('the plain way: created, claimed, ended, each once and in one record', async () => {
    const w = world();
    const wid = w.wid('a');
    expect(await w.twice(() => w.submitSolos(solo(wid)))).toEqual([[['created', 3]], [['exists', 0]]]);
    const [claimed, again] = await w.twice(() => w.claim([['agent', 1, ['q'], [1], [1]]], { number: 1 }));
    expect(again.grants).toEqual(claimed.grants);
    const [held] = claimed.grants as [Granted];
    expect(held).toMatchObject({
      ref: `${wid}-0-0`,
      attempt: 1,
      cost: -1,
      input: '',
      slot: 0,
      head: undefined,
    });
    const [plan] = await new Reads(w.redis).plans(w.cell, [wid]);
    expect(unpack(plan as Buffer)).toEqual(['plan', wid]);
    expect(await w.twice(() => w.complete(success(held, '"done"')))).toEqual([
      [[['ok', 1, 0, State.succeeded]], []],
      [[['done', 0, 0, State.succeeded]], []],
    ]);
    expect(isSolo(await stored(w, wid))).toBe(true);
    expect((await w.redis.hkeys(keys.bucket(w.cell, wid))).sort()).toEqual([wid, `${wid}p`]);
    expect(await w.story(wid)).toEqual([
      'workflow.created',
      'step.ready',
      'job.queued 0',
      'job.claimed 0',
      'workflow.started',
      'step.started',
      'job.started 0',
      'job.succeeded 0',
      'step.succeeded',
      'workflow.succeeded',
    ]);
    for (const key of [
      keys.queue(w.cell, 'q'),
      keys.offers(w.cell),
      keys.leases(w.cell),
      keys.timers(w.cell),
      keys.todo(w.cell),
    ]) {
      expect(await w.zset(key)).toEqual([]);
    }
    expect(await w.control(wid)).toEqual(['terminal', State.succeeded]);
    expect(isSolo(await stored(w, wid))).toBe(true);
  });

  test('read here or taken apart there, it is the same workflow and the same job', async () => {
    const w = world();
    const reads = new Reads(w.redis);
    for (const wid of Object.values(await three(w))) {
      expect(isSolo(await stored(w, wid))).toBe(true);
      const view = readHead((await reads.head(w.cell, wid)) as Buffer);
      const job = await reads.jobs(w.cell, wid, 0, 0, 1);
      const log = await w.log(wid);
      expect(readHead(log.head as Buffer)).toEqual(view);
      expect(log.events.map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: view.sequence }, (_, i) => i + 1),
      );
      expect(isSolo(await stored(w, wid)), 'reading changes nothing').toBe(true);
      // A decision that says nothing takes it apart.
      expect((await w.decide([wid, view.version, 0, change(), []]))[0][0]?.[0]).toBe('ok');
      expect(isSolo(await stored(w, wid))).toBe(false);
      expect(await w.head(wid)).toEqual({ ...view, version: view.version + 1 });
      // Its entry is now one of the kind that has to be read.
      const member = job[0]?.member.replace(/:(.{26})$/, ':$1-0-0');
      expect(await reads.jobs(w.cell, wid, 0, 0, 1)).toMatchObject([{ ...job[0], member }]);
      expect(await w.zset(keys.queue(w.cell, 'q'))).toEqual(
        member?.startsWith('0000000003') === true ? [member] : expect.anything(),
      );
      expect(await w.events(wid)).toEqual(log.events);
    }
  });

  test('beside it, an ordinary workflow that goes the same way reads the same', async () => {
    const w = world();
    const [plain, ordinary] = ['a', 'b'].map((name) => w.wid(name)) as [string, string];
    await w.submitSolos(solo(plain));
    await w.submit(flow(ordinary));
    const compare = async (): Promise<void> => {
      const [one, two] = [await w.head(plain), await w.head(ordinary)];
      const timeless = (head: typeof one) =>
        JSON.parse(
          JSON.stringify(head, (name, value: unknown) => (/At$|requestId/.test(name) ? '' : value)),
        ) as unknown;
      expect(timeless(one)).toEqual(timeless(two));
      expect(await w.story(plain)).toEqual(await w.story(ordinary));
    };
    await compare();
    const grants = await w.take('agent', 2, 'q');
    await compare();
    const ahead = { version: 1, facts: 0, change: endOfAll(), seen: [0] };
    for (const held of grants) await w.complete(success(held, '{}', ahead));
    await compare();
  });

  test('whatever else happens, happens to an ordinary workflow', async () => {
    const happens: Record<string, (w: World, wid: string, held: Granted) => Promise<unknown>> = {
      accept: (w, _, held) => w.accept([held.ref, held.token, 0, 1000]),
      progress: (w, _, held) => w.progress([held.ref, held.token, 0.5, '']),
      release: (w, _, held) => w.release([held.ref, held.token, 'BUSY']),
      failure: (w, _, held) => w.complete(failure(held)),
      emit: (w, _, held) => w.emit([held.ref, held.token, 1, ['1']]),
      cancel: (w, wid) => w.control(wid),
      lapse: (w) => w.due(),
    };
    for (const [what, happen] of Object.entries(happens)) {
      const w = world();
      const wid = w.wid('a');
      await w.submitSolos(solo(wid));
      const [held] = (await w.take('agent', 1, 'q')) as [Granted];
      if (what === 'lapse') await w.makeDue(keys.offers(w.cell), held.ref);
      await w.twice(() => happen(w, wid, held));
      expect(isSolo(await stored(w, wid)), `after ${what}`).toBe(false);
      const job = await w.job(held.ref);
      const expected = { release: State.unassigned, lapse: State.unassigned, failure: State.failed }[what];
      expect(job.state, `after ${what}`).toBe(
        expected ?? (['emit', 'cancel'].includes(what) ? State.scheduled : State.processing),
      );
      expect((await w.story(wid)).slice(0, 4), `after ${what}`).toEqual([
        'workflow.created',
        'step.ready',
        'job.queued 0',
        'job.claimed 0',
      ]);
    }
  });

  test('a fence that is not the live one ends nothing', async () => {
    const w = world();
    const { waiting, claimed, ended } = await three(w);
    const before = await w.dump();
    const token = 'ff.x';
    const all = [waiting, claimed, ended].flatMap((wid) => [
      { ref: `${wid}-0-0`, token },
      { ref: `${wid}-0-0`, token: '' },
      { ref: `${wid}-0-1`, token },
      { ref: wid, token },
    ]);
    const [replies] = await w.complete(
      ...all.map((held) => success(held)),
      ...all.map((held) => failure(held)),
    );
    expect(replies.every(([live]) => live === 'lost')).toBe(true);
    await w.redis.hdel(keys.meta(w.cell), 'wasted');
    expect(await w.dump()).toEqual(before);
  });

  test('a stale word in the same batch does not cost the plain way', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submitSolos(solo(wid));
    const [held] = (await w.take('agent', 1, 'q')) as [Granted];
    const stale = { ref: held.ref, token: 'ff.x' };
    const [replies] = await w.complete(success(stale), failure(stale), success(held));
    expect(replies).toEqual([
      ['lost', 0, 0, State.scheduled],
      ['lost', 0, 0, State.scheduled],
      ['ok', 1, 0, State.succeeded],
    ]);
    expect(isSolo(await stored(w, wid))).toBe(true);
  });

  test('an entry of the ordinary kind that is no longer good is dropped: of a claimed one, of an ended one, of another place', async () => {
    const w = world();
    const { waiting, claimed, ended } = await three(w);
    const queue = keys.queue(w.cell, 'q');
    const [entry] = (await w.zset(queue)) as [string];
    const place = (n: number, wid: string): string => `${n.toString(16).padStart(10, '0')}:${wid}-0-0`;
    expect(`${entry}-0-0`).toBe(place(3, waiting));
    await w.redis.zadd(queue, 0, place(1, ended), 0, place(2, claimed), 0, place(9, waiting));
    const { grants } = await w.claim([['agent', 9, ['q'], [1], [9]]]);
    expect(grants.map(({ ref }) => ref)).toEqual([`${waiting}-0-0`]);
    expect(await w.zset(queue)).toEqual([]);
  });

  test('they share queues, places and clocks with all others, in one call too', async () => {
    const w = world();
    const names = ['a', 'b', 'c', 'd'].map((name) => w.wid(name)) as [string, string, string, string];
    await w.submitSolos(solo(names[0], { cost: 3 }));
    await w.submit(flow(names[1]));
    await w.submitSolos(solo(names[2], { tenant: 'globex' }), solo(names[2]), solo(names[3], { band: 2 }));
    expect(await w.queue('q')).toEqual([names[3], names[0], names[2], names[1]].map((wid) => `${wid}-0-0`));
    const grants = await w.take('agent', 9, 'q');
    const [replies] = await w.complete(...grants.map((held) => success(held)));
    expect(replies).toEqual([
      ['ok', 1, 0, State.succeeded],
      ['ok', 1, 0, State.succeeded],
      ['ok', 1, 0, State.succeeded],
      ['ok', 0, 1, State.processing],
    ]);
  });

  test('watchers elsewhere hear of each commit: what is watched while it waits is ordinary from then on', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submitSolos(solo(wid));
    await w.log(wid, 0, 10, 'c7');
    await w.twice(() => w.log(wid, 0, 10, 'c7'));
    expect(isSolo(await stored(w, wid))).toBe(false);
    expect(await w.queue('q')).toEqual([`${wid}-0-0`]);
    const said = await w.overheard(async () => {
      const [held] = (await w.take('agent', 1, 'q')) as [Granted];
      await w.log(wid, 0, 10, 'c8');
      w.origin = 'c7';
      await w.twice(() => w.complete(success(held)));
    });
    expect(said.map(([origin, works]) => [origin, works])).toEqual([
      ['c1', [wid]],
      ['c7', [wid]],
    ]);
    expect(
      (await w.events(wid)).map(({ tag }) => tag).filter((tag, i, all) => all.indexOf(tag) === i),
    ).toHaveLength(3);
  });
}
