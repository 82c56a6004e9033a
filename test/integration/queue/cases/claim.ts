/** claim: the race. */
import { expect, test } from 'vitest';
import type { ClaimAsk } from '../../../../coordinator/queue/items.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State } from '../../../../sdk/common/states.ts';
import { change, ending, flow, job, success } from '../changes.ts';
import { OFFER_MS, ask } from '../world.ts';
import type { Granted, World } from '../world.ts';

export function claimCases(world: () => World): void {
  test('a grant says what the agent needs', async () => {
    const w = world();
    const wid = w.wid('a');
    const specs = [job({ cost: 2.5, input: '"first"' }), job({ slot: 1 })];
    await w.submit(flow(wid, { jobs: specs, plan: { some: 'plan' } }));
    const { short, grants } = await w.claim([ask('agent', 3, 'q')]);
    expect(short).toEqual([1]);
    const [first, second] = grants as [Granted, Granted];
    expect(first).toMatchObject({
      ask: 0,
      ref: `${wid}-0-0`,
      attempt: 1,
      cost: 2.5,
      input: '"first"',
      slot: 0,
    });
    expect(second).toMatchObject({ ref: `${wid}-0-1`, cost: 1, input: '', slot: 1 });
    // Nothing can be decided ahead while the step has another open job.
    expect([first.head, second.head]).toEqual([undefined, undefined]);
    expect(await w.job(first.ref)).toMatchObject({
      state: State.scheduled,
      agent: 'agent',
      hold: 1,
      claims: 1,
      token: first.token,
    });
    expect(await w.queue('q')).toEqual([]);
    expect(await w.zset(keys.offers(w.cell))).toEqual([first.ref, second.ref]);
    const lapses = Number(await w.redis.zscore(keys.offers(w.cell), first.ref));
    expect(Math.abs(lapses - OFFER_MS - Date.now())).toBeLessThan(10_000);
    expect((await w.story(wid)).slice(-2)).toEqual(['job.claimed 0', 'job.claimed 1']);
  });

  test("the job that is its step's only open one brings the head as the claim left it", async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid));
    const [only] = (await w.take('agent', 1, 'q')) as [Granted];
    expect(only.head).toMatchObject({ version: 1, facts: 0, state: State.scheduled });
    expect(only.head?.steps[0]).toMatchObject({ state: State.scheduled, open: 1 });
    expect(only.head).toEqual(await w.head(wid));
  });

  test('asks take one job in turn', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 6 }));
    const { short, grants } = await w.claim([ask('x', 4, 'q'), ask('y', 1, 'q'), ask('z', 4, 'q')]);
    expect(grants.map((grant) => grant.ask)).toEqual([0, 1, 2, 0, 2, 0]);
    expect(grants.map(({ ref }) => ref)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `${wid}-0-${n}`));
    expect(short).toEqual([1, 0, 2]);
    expect(await w.job(`${wid}-0-4`)).toMatchObject({ agent: 'z' });
  });

  test('across classes: the higher band, then the older head', async () => {
    const w = world();
    const put = (name: string, queue: string, band: number) => w.submit(flow(w.wid(name), { queue, band }));
    await put('1', 'a', 1);
    await put('2', 'b', 1);
    await put('3', 'b', 2);
    await put('4', 'a', 0);
    await put('5', 'a', 1);
    await put('6', 'c', 1);
    await put('7', 'b', 0);
    const grants = await w.take('agent', 10, 'c', 'b', 'a');
    expect(grants.map(({ ref }) => ref.slice(0, 26))).toEqual(
      ['3', '1', '2', '5', '6', '4', '7'].map((name) => w.wid(name)),
    );
  });

  test('a group of classes gives no more than its limit, whoever else asks', async () => {
    const w = world();
    for (const queue of ['a', 'b', 'c']) await w.submit(flow(w.wid(queue), { queue, jobs: 4 }));
    // a and b share a limit of 3; c has 1.
    const limited: ClaimAsk = ['agent', 10, ['a', 'b', 'c'], [1, 1, 2], [3, 1]];
    const { short, grants } = await w.claim([limited, ask('other', 2, 'a')]);
    const of = (index: number): string[] =>
      grants.filter((grant) => grant.ask === index).map(({ ref }) => ref);
    expect(of(0).filter((ref) => ref.startsWith(w.wid('c')))).toHaveLength(1);
    expect(of(0)).toHaveLength(4);
    expect(of(1)).toHaveLength(2);
    expect(short).toEqual([6, 0]);
  });

  test('entries that are no longer good are dropped on the way', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 3 }), flow(w.wid('closing')), flow(w.wid('ended')));
    const queue = keys.queue(w.cell, 'q');
    const [held] = await w.take('agent', 1, 'q');
    // Gone altogether, held already, of an older life of the job, of workflows about to end and ended.
    await w.redis.zadd(
      queue,
      0,
      `0000000000:${w.wid('gone')}-0-0`,
      0,
      `0000000001:${held?.ref}`,
      0,
      `0000000002:${wid}-0-1`,
    );
    await w.decide([w.wid('closing'), 1, 0, change({ workflow: [0, '', '', -1, State.canceled] }), []]);
    await w.decide([w.wid('ended'), 1, 0, change({ workflow: ending(State.canceled) }), []]);
    const { grants, short } = await w.claim([ask('agent', 9, 'q')]);
    expect(grants.map(({ ref }) => ref)).toEqual([`${wid}-0-1`, `${wid}-0-2`]);
    expect(short).toEqual([7]);
    expect(await w.zset(queue)).toEqual([]);
    expect(await w.job(held?.ref ?? '')).toMatchObject({ claims: 1, token: held?.token });
  });

  test('one call looks past more dead entries than a page holds', async () => {
    const w = world();
    const queue = keys.queue(w.cell, 'q');
    const dead = Array.from({ length: 700 }, (_, i) => [
      0,
      `${String(i).padStart(10, '0')}:${w.wid('gone')}-0-${i}`,
    ]).flat();
    await w.redis.zadd(queue, ...(dead as [number, string]));
    await w.submit(flow(w.wid('a')));
    expect(await w.take('agent', 1, 'q')).toHaveLength(1);
    expect(await w.zset(queue)).toEqual([]);
  });

  test('one call takes more jobs than a page holds', async () => {
    const w = world();
    const wid = w.wid('a');
    await w.submit(flow(wid, { jobs: 700 }));
    const { grants } = await w.claim([ask('x', 300, 'q'), ask('y', 300, 'q')]);
    expect(grants.map(({ ref }) => ref)).toEqual(Array.from({ length: 600 }, (_, n) => `${wid}-0-${n}`));
    expect(await w.redis.zcard(keys.queue(w.cell, 'q'))).toBe(100);
  });

  test('the same claim number again: the same grants, and nothing new', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 3 }), flow(w.wid('b'), { jobs: 3 }));
    const again = () => w.claim([ask('x', 2, 'q'), ask('y', 2, 'q')], { number: 7 });
    const [first, second] = await w.twice(again);
    expect(first.grants).toHaveLength(4);
    expect(second.grants).toEqual(first.grants);
    // Of these only what is still held by that claim.
    const [gone, done, accepted] = first.grants as [Granted, Granted, Granted];
    await w.release([gone.ref, gone.token, 'BUSY']);
    await w.complete(success(done));
    await w.accept([accepted.ref, accepted.token, -1, 0]);
    expect((await again()).grants.map(({ ref, token }) => [ref, token])).toEqual(
      first.grants.slice(2).map(({ ref, token }) => [ref, token]),
    );
    // Another coordinator's number 7, and this one's next, are claims of their own.
    w.origin = 'c2';
    expect((await again()).grants.map(({ ref }) => ref)).toEqual([
      gone.ref,
      `${w.wid('b')}-0-1`,
      `${w.wid('b')}-0-2`,
    ]);
    w.origin = 'c1';
    expect((await w.claim([ask('x', 2, 'q')], { number: 8 })).short).toEqual([2]);
  });

  test('fences never repeat, however large they grow', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 10 }));
    const tokens = new Set<string>();
    const note = (grants: readonly Granted[]): void =>
      grants.forEach(({ token }) => tokens.add(token.split('.')[0] as string));
    for (let round = 0; round < 3; round++) {
      w.origin = `c${round}`;
      const grants = await w.take('agent', 3, 'q');
      note(grants);
      await w.release(...grants.map(({ ref, token }): [string, string, string] => [ref, token, 'BUSY']));
    }
    expect(tokens.size).toBe(9);
    expect(await w.meta('fence')).toBe('9');
    await w.setMeta('fence', String(2 ** 52));
    const [high] = (await w.claim([ask('agent', 1, 'q')], { random: 'salt' })).grants;
    expect(high?.token).toBe(`${(2 ** 52 + 1).toString(16)}.salt`);
    expect(await w.meta('fence')).toBe(String(2 ** 52 + 1));
  });

  test('who comes up short is idle there, and the next job wakes whoever waits longest', async () => {
    const w = world();
    for (const origin of ['first', 'second', 'third']) {
      w.origin = origin;
      await w.claim([ask('agent', 1, 'q', 'other')]);
    }
    // Places in the line are the clock's: set them apart.
    const idle = keys.idle(w.cell, 'q');
    for (const [ago, origin] of [
      [3, 'first'],
      [2, 'second'],
      [1, 'third'],
    ] as const) {
      await w.redis.zadd(idle, 'XX', Date.now() - ago * 1000, origin);
    }
    w.origin = 'c9';
    const said = await w.overheard(async () => {
      await w.submit(flow(w.wid('a')));
      await w.submit(flow(w.wid('b')), flow(w.wid('c')));
      await w.submit(flow(w.wid('d'), { queue: 'nobody' }));
    });
    expect(said.map((message) => message[2])).toEqual([[['first', 'q']], [['second', 'q']]]);
    expect(await w.zset(idle)).toEqual(['third']);
    expect(await w.redis.zcard(keys.idle(w.cell, 'other'))).toBe(3);
  });

  test('only classes the call really emptied count, and only when it asks to be woken', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { queue: 'left', jobs: 5 }));
    await w.claim([ask('agent', 2, 'empty')], { register: false });
    expect(await w.zset(keys.idle(w.cell, 'empty'))).toEqual([]);
    // Limits: 1 of `left` leaves work there; none of `shut` is wanted.
    const limited: ClaimAsk = ['agent', 5, ['left', 'empty', 'shut'], [1, 2, 3], [1, 5, 0]];
    await w.claim([limited, ask('other', 1, 'shut')]);
    expect(await w.zset(keys.idle(w.cell, 'left'))).toEqual([]);
    expect(await w.zset(keys.idle(w.cell, 'empty'))).toEqual(['c1']);
    expect(await w.zset(keys.idle(w.cell, 'shut'))).toEqual(['c1']);
    await w.redis.del(keys.idle(w.cell, 'shut'));
    await w.submit(flow(w.wid('s'), { queue: 'shut' }));
    await w.claim([limited, ask('other', 1, 'shut')]);
    expect(await w.zset(keys.idle(w.cell, 'shut'))).toEqual([]);
  });

  test('a claim that leaves work behind wakes the next; one that takes the last wakes nobody', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 3 }));
    const line = async (): Promise<void> => {
      await w.redis.zadd(keys.idle(w.cell, 'q'), Date.now() - 2000, 'c1', Date.now() - 1000, 'c2');
    };
    await line();
    // c1 claims: its own old place in the line must not swallow the wake-up.
    expect((await w.overheard(() => w.take('agent', 2, 'q'))).map((message) => message[2])).toEqual([
      [['c2', 'q']],
    ]);
    await w.redis.del(keys.idle(w.cell, 'q'));
    await line();
    expect(await w.overheard(() => w.take('agent', 1, 'q'))).toEqual([]);
  });

  test('a coordinator that has been silent too long is passed over, not woken in vain', async () => {
    const w = world();
    await w.redis.zadd(
      keys.idle(w.cell, 'q'),
      Date.now() - 60_000,
      'dead',
      Date.now() - 50_000,
      'dead too',
      Date.now() - 1000,
      'alive',
    );
    expect((await w.overheard(() => w.submit(flow(w.wid('a'))))).map((message) => message[2])).toEqual([
      [['alive', 'q']],
    ]);
    expect(await w.zset(keys.idle(w.cell, 'q'))).toEqual([]);
  });

  test('fair clocks go when a class drains, and stay while it does not', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 3 }), flow(w.wid('h'), { jobs: 2, band: 2 }));
    await w.take('agent', 4, 'q');
    // Each band's clock stands where its last claim stood.
    expect(await w.redis.hgetall(keys.fair(w.cell, 'q'))).toMatchObject({ V1: '1024', V2: '1024' });
    await w.take('agent', 1, 'q');
    expect(await w.redis.hgetall(keys.fair(w.cell, 'q'))).toEqual({});
  });

  test('virtual time never goes back: a job that returned does not let newcomers past those who wait', async () => {
    const w = world();
    await w.submit(flow(w.wid('a'), { jobs: 4 }));
    const [first] = await w.take('agent', 3, 'q');
    await w.release([first?.ref ?? '', first?.token ?? '', 'BUSY']);
    await w.take('agent', 1, 'q');
    expect(await w.redis.hget(keys.fair(w.cell, 'q'), 'V1')).toBe('2048');
    await w.submit(flow(w.wid('b'), { tenant: 'new' }));
    expect((await w.job(`${w.wid('b')}-0-0`)).score - 2 ** 50).toBe(2048);
  });

  test('nothing asked, nothing done', async () => {
    const w = world();
    await w.submit(flow(w.wid('a')));
    const before = await w.dump();
    expect(await w.claim([])).toEqual({ short: [], left: [], grants: [] });
    expect(await w.claim([['agent', 0, ['q'], [1], [0]]])).toEqual({ short: [0], left: [], grants: [] });
    expect(await w.claim([['agent', 1, ['q'], [1], [0]]])).toEqual({ short: [1], left: [], grants: [] });
    expect(await w.dump()).toEqual(before);
  });
}
