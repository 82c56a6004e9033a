/** requeue: an operator puts a job elsewhere, wherever it is. */
import { expect, test } from 'vitest';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { Reads } from '../../../../coordinator/queue/reads.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, flow, job, solo, success } from '../changes.ts';
import type { Granted, World } from '../world.ts';

const placeOf = async (w: World, ref: string): Promise<string> => {
  const [wid, step, ordinal] = ref.split('-') as [string, string, string];
  const at = Number(ordinal);
  const [found] = await new Reads(w.redis).jobs(w.cell, wid, Number(step), at, at + 1);
  return (found?.hold ?? 0) > 0 ? (found?.token ?? '') : (found?.member.slice(0, 10) ?? '');
};

export function requeueCases(world: () => World): void {
  test('a held job is freed, its agent told, and nothing counted; it keeps its place, or gets a new one', async () => {
    for (const back of [false, true]) {
      const w = world();
      const wid = w.wid('a');
      await w.submit(flow(wid, { jobs: 3 }));
      const [held] = (await w.hold('agent', 1, 'q')) as [Granted];
      const heard = await w.overheard(async () => {
        const [first, second] = await w.twice(() => w.requeue(held.ref, held.token, back, 'too slow'));
        expect(first).toEqual(['ok', State.scheduled, [[held.ref, held.token, 'agent', 'REQUEUED']]]);
        expect(second).toEqual(['moved', State.unassigned, []]);
      });
      expect(heard.map((message) => message[3])).toEqual([[[held.ref, held.token, 'agent', 'REQUEUED']]]);
      const order = [0, 1, 2].map((n) => `${wid}-0-${n}`);
      expect(await w.queue('q')).toEqual(back ? [...order.slice(1), order[0]] : order);
      expect(await w.job(held.ref)).toMatchObject({
        hold: 0,
        token: '',
        attempt: 1,
        recoveries: 0,
        agents: '',
      });
      expect(await w.zset(keys.leases(w.cell))).toEqual([]);
      const { rest, type } = (await w.events(wid)).at(-1) as { rest: unknown; type: string };
      expect([type, rest]).toEqual(['job.released', ['agent', 'REQUEUED', 'too slow']]);
      // The late result of the agent counts for nothing.
      expect((await w.complete(success(held)))[0]).toMatchObject([['lost', 0, 0, State.scheduled]]);
    }
  });

  test.each(['of its own', 'in a run', 'in a solo record'])('a waiting job %s: front, back', async (kind) => {
    const w = world();
    const wid = w.wid('a');
    const others = Array.from({ length: 3 }, (_, i) => w.wid(`other${i}`));
    for (const other of others) await w.submit(flow(other, { cost: 1 }));
    if (kind === 'in a solo record') await w.submitSolos(solo(wid, { queue: 'q' }));
    else if (kind === 'in a run') await w.submit(flow(wid, { jobs: [], run: 3, queue: 'q' }));
    else await w.submit(flow(wid));
    // The class has moved on by one.
    await w.take('agent', 1, 'q');
    const ref = kind === 'in a run' ? `${wid}-0-1` : `${wid}-0-0`;
    const whole = (await w.queue('q')).length;
    const seen = await placeOf(w, ref);
    expect(await w.twice(() => w.requeue(ref, seen))).toEqual([
      ['ok', State.unassigned, []],
      ['ok', State.unassigned, []],
    ]);
    expect((await w.queue('q'))[0]).toBe(ref);
    expect(await w.queue('q')).toHaveLength(whole);
    const [first, second] = await w.twice(() => w.requeue(ref, seen, true, 'later'));
    expect([first[0], second[0]]).toEqual(['ok', 'moved']);
    expect((await w.queue('q')).at(-1)).toBe(ref);
    expect(await w.queue('q')).toHaveLength(whole);
    expect((await w.take('agent', whole, 'q')).map((grant) => grant.ref)).toContain(ref);
  });

  test('a job in a backoff is queued now; one that has ended stays ended; others are not there', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: [job({ delayMs: 60_000 })] }));
    const ref = `${wid}-0-0`;
    const [first, second] = await w.twice(() => w.requeue(ref, ''));
    expect([first[0], second[0]]).toEqual(['ok', 'moved']);
    expect(await w.queue('q')).toEqual([ref]);
    expect(await w.zset(keys.timers(w.cell))).toEqual([]);
    const { version, facts } = await w.head(wid);
    await w.decide([wid, version, facts, change({ cancels: [[0, 0, 1, 'CANCELED', State.skipped]] }), []]);
    expect(await w.twice(() => w.requeue(ref, ''))).toEqual([
      ['terminal', State.skipped, []],
      ['terminal', State.skipped, []],
    ]);
    expect(await w.requeue(`${w.wid('nobody')}-0-0`, '')).toEqual(['gone', 0, []]);
  });
}
