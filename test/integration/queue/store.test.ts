/** The store on a real Redis: repeats after lost replies, a full server, and what its own coordinator hears. */
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenToBus } from '../../../coordinator/events/bus.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { cellIndexOf, keys, makeCell, parseJobRef, workflowKey } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import { Store } from '../../../coordinator/queue/store.ts';
import type { CompleteReply, SubmitReply, Told } from '../../../coordinator/queue/items.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { connectSubscriber } from '../../../runtime/redis/subscriber.ts';
import { State } from '../../../sdk/common/states.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { change, endOfAll, ending, flow, success } from './changes.ts';
import type { FlowOptions } from './changes.ts';
import { LEASE_MS, OFFER_MS, World, ask } from './world.ts';
import type { Granted } from './world.ts';

const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connectRedis({ target: redis().url, name: 'test' });
});
afterAll(() => closeRedis(connection));

/** Time stands still; a pause is over at once. */
const clock = { now: () => 0, sleep: () => Promise.resolve() };

function storeIn(cells: readonly Cell[], use: RedisConnection = connection): Store {
  return new Store({
    redis: use,
    cells,
    origin: 'me',
    clock,
    leaseMs: LEASE_MS,
    offerMs: OFFER_MS,
    avoidMs: 5000,
  });
}

function submit(store: Store, wid: string, options: FlowOptions = {}): Promise<SubmitReply> {
  return new Promise((done, failed) => store.submit(wid, flow(wid, options), done, failed));
}

function complete(store: Store, wid: string, held: { ref: string; token: string }): Promise<CompleteReply> {
  return new Promise((done, failed) => store.complete(wid, success(held), done, failed));
}

function world(): World {
  return new World(connection, new ScriptRunner(connection), redis().url);
}

test('a call whose answer was lost is made again, and counts once', async () => {
  const w = world();
  let losses = 0;
  const flaky = {
    callBuffer: async (command: string, args: (string | Buffer)[]): Promise<unknown> => {
      const reply = await connection.callBuffer(command, args);
      losses++;
      if (losses % 2 === 1) throw new Error('Command timed out');
      return reply;
    },
  };
  const store = storeIn([w.cell], flaky as unknown as Redis);
  const wid = w.wid('a');
  expect(await submit(store, wid, { jobs: 3 })).toEqual(['exists', 0]);
  expect(await w.queue('q')).toHaveLength(3);
  await store.claim(w.cell, 1, true, [ask('agent', 2, 'q')]);
  expect(await w.meta('fence')).toBe('2');
  const tokenOf = async (ref: string): Promise<string> => {
    const { step, ordinal } = parseJobRef(ref);
    const [job] = await new Reads(connection).jobs(w.cell, wid, step, ordinal, ordinal + 1);
    return job?.token ?? '';
  };
  const [one, two] = [`${wid}-0-0`, `${wid}-0-1`];
  expect((await complete(store, wid, { ref: one, token: await tokenOf(one) }))[0]).toBe('done');
  expect(await w.step(wid, 0)).toMatchObject({ open: 2, ok: 1 });
  expect(await store.release(wid, [two, await tokenOf(two), 'BUSY'])).toBe('lost');
  expect(await w.queue('q')).toEqual([two, `${wid}-0-2`]);
  expect((await store.decide(wid, [wid, 1, 0, change({ workflow: ending(State.canceled) }), []]))[0]).toBe(
    'conflict',
  );
  expect((await w.head(wid)).version).toBe(2);
  expect((await w.events(wid)).filter(({ type }) => type === 'job.succeeded')).toHaveLength(1);
});

test('a server that forgot the scripts is told them again', async () => {
  const w = world();
  const store = storeIn([w.cell]);
  await submit(store, w.wid('a'));
  await (connection as Redis).script('FLUSH');
  expect(await submit(store, w.wid('b'))).toEqual(['created', 3]);
  expect(await w.queue('q')).toHaveLength(2);
});

test('a full server takes no new work, and lets everything else go on', async () => {
  const w = world();
  const store = storeIn([w.cell]);
  const wid = w.wid('a');
  await submit(store, wid, { jobs: 4, queueTimeoutMs: 5_000 });
  await w.makeDue(keys.timers(w.cell), `queued|${wid}-0-3`);
  await connection.call('CONFIG', 'SET', 'maxmemory', '1mb');
  try {
    await expect(submit(store, w.wid('b'))).rejects.toMatchObject({ reason: 'STORE_FULL' });
    const grants = await w.take('agent', 3, 'q');
    expect(grants).toHaveLength(3);
    const [one, two, three] = grants as [Granted, Granted, Granted];
    await expect(store.emit(wid, [one.ref, one.token, 1, ['1']])).rejects.toMatchObject({
      reason: 'STORE_FULL',
    });
    expect(await store.accept(wid, [one.ref, one.token, 0, 60_000])).toBe('ok');
    expect(await store.progress(wid, [one.ref, one.token, 0.5, ''])).toBe('ok');
    expect((await complete(store, wid, one))[0]).toBe('ok');
    expect(await store.release(wid, [two.ref, two.token, 'BUSY'])).toBe('ok');
    await w.makeDue(keys.offers(w.cell), three.ref);
    expect(await store.due(w.cell, 0)).toMatchObject([[[three.ref, 'agent']], [wid], 0]);
    expect(await store.sweep(w.cell, { intervalMs: 60_000, slackMs: 15_000, maxRecoveries: 3 }, {})).toEqual([
      [],
      [],
      0,
      0,
    ]);
    expect(await store.requestCancel(wid, 'acme', '')).toEqual(['ok', State.processing]);
    const { version, facts } = await w.head(wid);
    expect(
      (
        await store.decide(wid, [
          wid,
          version,
          facts,
          change({ cancels: [[0, 0, 9, 'X', State.canceled]] }),
          [-1, 0],
        ])
      )[0],
    ).toBe('ok');
    expect(await store.unpark(w.cell, 'wf:x', 10)).toBe(0);
    expect(await store.log(wid, 0, 10, 'me')).not.toEqual([]);
    expect(await w.meta('fence')).toBe('3');
  } finally {
    await connection.call('CONFIG', 'SET', 'maxmemory', '0');
  }
  expect(await submit(store, w.wid('b'))).toEqual(['created', 3]);
});

test('what the loops change reaches the coordinator that ran them too', async () => {
  const w = world();
  const store = storeIn([w.cell]);
  const wid = w.wid('a');
  await submit(store, wid, { jobs: 3, watch: 'me' });
  w.origin = 'me';
  const [late, lapsed, stalled] = (await w.hold('agent', 3, 'q')) as [Granted, Granted, Granted];
  await w.accept([late.ref, late.token, 0, 1000]);
  const told: Told[] = [];
  const woken: string[] = [];
  const touched: string[] = [];
  const subscriber = await connectSubscriber({ target: redis().url, name: 'test' });
  try {
    await listenToBus(subscriber, [w.cell], 'me', {
      onWorkflows: (wids) => touched.push(...wids),
      onWake: (_, classes) => woken.push(...(classes ?? [])),
      onTold: (orders) => told.push(...orders),
      onClasses: () => undefined,
      onControls: () => undefined,
      onGap: () => undefined,
    });
    const idle = async (): Promise<void> => void (await w.claim([ask('agent', 1, 'q')]));
    // Its own agent must be told to stop.
    await w.makeDue(keys.timers(w.cell), `attempt|${late.ref}|${late.token}`);
    await store.due(w.cell, 0);
    await until('the order to stop', () => told.length === 1);
    expect(told).toEqual([[late.ref, late.token, 'agent', 'deadline']]);
    await until('its watchers to be told', () => touched.length === 1);
    // A job that comes back while only the caller itself waits for work.
    await w.release([lapsed.ref, lapsed.token, 'BUSY']);
    const [again] = (await w.take('agent', 1, 'q')) as [Granted];
    await idle();
    await w.makeDue(keys.offers(w.cell), again.ref);
    await store.due(w.cell, 0);
    await until('the wake-up', () => woken.length === 1);
    await w.take('agent', 1, 'q');
    await idle();
    await w.makeDue(keys.leases(w.cell), stalled.ref);
    await store.sweep(w.cell, { intervalMs: 60_000, slackMs: 15_000, maxRecoveries: 3 }, {});
    await until('the second wake-up', () => woken.length === 2);
    await w.take('agent', 1, 'q');
    await idle();
    await w.redis.zadd(keys.parked(w.cell, 'x'), 2 ** 50, `0000000000:${wid}-0-0|q`);
    await store.unpark(w.cell, 'x', 10);
    await until('the third wake-up', () => woken.length === 3);
  } finally {
    await subscriber.close();
  }
});

test('what its own calls touch and grow is announced, what they stop is handed on', async () => {
  const w = world();
  const store = storeIn([w.cell]);
  const heard: unknown[] = [];
  store.onTouched = (wid) => heard.push(['touched', wid]);
  store.onTold = (orders) => heard.push(['told', orders]);
  store.onGrown = (cell, classes) =>
    heard.push(['grown', cell.index, classes === undefined ? undefined : [...classes]]);
  store.onStored = (cell, classes) => heard.push(['stored', cell.index, [...classes]]);
  const wid = w.wid('a');
  await submit(store, wid, { jobs: 2 });
  // As the call goes out, so that a claim may follow it; and when it is answered.
  expect(heard.splice(0)).toEqual([
    ['grown', 0, ['q']],
    ['stored', 0, ['q']],
    ['touched', wid],
  ]);
  const [one, two] = (await w.take('agent', 2, 'q')) as [Granted, Granted];
  await complete(store, wid, one);
  expect(heard.splice(0)).toEqual([['touched', wid]]);
  await store.decide(wid, [wid, 1, 0, change({ cancels: [[0, 0, 2, 'X', State.canceled]] }), []]);
  expect(heard.splice(0)).toEqual([
    ['touched', wid],
    ['told', [[two.ref, two.token, 'agent', 'X']]],
  ]);
});

test('the number of cells is fixed when the key space is made', async () => {
  const open = (namespace: string, count: number, masters = 1) =>
    openCells(connection, { namespace, count, masters });
  const six = await open('sized', 6);
  expect(six.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await open('sized', 0)).toEqual(six);
  expect(await open('sized', 6)).toEqual(six);
  await expect(open('sized', 4)).rejects.toThrow('was created with 6 cells, not 4');
  expect(await open('alone', 0)).toHaveLength(1);
  expect(await open('clustered', 0, 3)).toHaveLength(6);
  const [first, second] = await Promise.all([open('raced', 2).catch(String), open('raced', 3).catch(String)]);
  expect([first, second].filter((each) => typeof each === 'string')).toHaveLength(1);
  await connection.hset(keys.creation('sized'), 'layout', 99);
  await expect(open('sized', 0)).rejects.toThrow('layout 99');
});

test('what many items of one turn have in common is sent once, and each gets its own', async () => {
  const w = world();
  const store = storeIn([w.cell]);
  const wids = Array.from({ length: 60 }, (_, i) => w.wid(`w${i}`));
  const created = await Promise.all(wids.map((wid, i) => submit(store, wid, { cost: 1 + (i % 2) })));
  expect(created).toEqual(wids.map(() => ['created', 3]));
  const grants = await w.take('agent', 60, 'q');
  expect(grants.map(({ ref, cost }) => `${ref.slice(0, 26)} ${cost}`).sort()).toEqual(
    wids.map((wid, i) => `${wid} ${1 + (i % 2)}`).sort(),
  );
  const ahead = { version: 1, facts: 0, change: endOfAll(), seen: [0] };
  const ended = await Promise.all(
    grants.map(
      (held, i) =>
        new Promise<CompleteReply>((done, failed) =>
          // Every fifth has nothing decided ahead.
          store.complete(
            held.ref.slice(0, 26),
            success(held, `"${i}"`, i % 5 === 0 ? undefined : ahead),
            done,
            failed,
          ),
        ),
    ),
  );
  expect(ended).toEqual(
    grants.map((_, i) => (i % 5 === 0 ? ['ok', 0, 1, State.processing] : ['ok', 1, 0, State.succeeded])),
  );
  for (const [i, { ref }] of grants.entries())
    expect(await w.job(ref)).toMatchObject({ state: State.succeeded, output: `"${i}"` });
  expect(await w.zset(keys.todo(w.cell))).toHaveLength(12);
});

test('each cell is its own world', async () => {
  const cells = Array.from({ length: 3 }, (_, index) => makeCell('worlds', index, `w${index}`));
  const store = storeIn(cells);
  const wids = Array.from({ length: 60 }, (_, i) => workflowKey('acme', `r${i}`, 3));
  expect(new Set(wids.map((wid) => cellIndexOf(wid))).size).toBe(3);
  await Promise.all(wids.map((wid) => submit(store, wid)));
  for (const cell of cells) {
    const refs = (await connection.zrange(keys.queue(cell, 'q'), '0', '-1')).map((member) =>
      member.slice(11),
    );
    expect(refs.toSorted()).toEqual(
      wids
        .filter((wid) => cellIndexOf(wid) === cell.index)
        .map((wid) => `${wid}-0-0`)
        .toSorted(),
    );
  }
});
