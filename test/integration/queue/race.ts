/**
 * The big race: fifty agents at two coordinators claim everything there is, and each job must be won once. Told from
 * both sides: what Redis says in the end, and what the claimers noted.
 */
import type { Cluster, Redis } from 'ioredis';
import { expect } from 'vitest';
import { cellIndexOf, keys, workflowKey } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import type { CompleteReply, SubmitReply } from '../../../coordinator/queue/items.ts';
import { Store } from '../../../coordinator/queue/store.ts';
import { State } from '../../../sdk/common/states.ts';
import { flow, success } from './changes.ts';
import { LEASE_MS, OFFER_MS, ask, readClaim, readJobRow } from './world.ts';
import type { Job } from './world.ts';

const WORKFLOWS = 100;
const JOBS = 100;
const CLAIMERS = 50;

const clock = { now: () => 0, sleep: () => Promise.resolve() };

interface Win {
  readonly ref: string;
  readonly token: string;
  readonly agent: string;
}

export interface RaceOptions {
  /** A connection for each coordinator. */
  readonly connections: readonly (Redis | Cluster)[];
  readonly cells: readonly Cell[];
  /** Claims of a coordinator on a cell one after the other, as its claim loop makes them; needed where replies get lost. */
  readonly inTurn: boolean;
}

/** Jobs that were won. */
export async function race({ connections, cells, inTurn }: RaceOptions): Promise<number> {
  const stores = connections.map(
    (redis, i) =>
      new Store({
        redis,
        cells,
        origin: `coordinator${i}`,
        clock,
        leaseMs: LEASE_MS,
        offerMs: OFFER_MS,
        avoidMs: 5000,
      }),
  );
  const wids = Array.from({ length: WORKFLOWS }, (_, i) => workflowKey('acme', `race${i}`, cells.length));
  await Promise.all(wids.map((wid, i) => submit(stores[i % stores.length] as Store, wid)));

  const turns = stores.map(() =>
    cells.map(() => ({ number: 0, last: Promise.resolve() as Promise<unknown> })),
  );
  const claim = (at: number, cell: Cell, agent: string, jobs: number): Promise<unknown[]> => {
    const turn = (turns[at] as (typeof turns)[0])[cell.index] as (typeof turns)[0][0];
    const number = ++turn.number;
    const call = () => (stores[at] as Store).claim(cell, number, true, [ask(agent, jobs, 'q')]);
    if (!inTurn) return call();
    const made = turn.last.then(call, call);
    turn.last = made;
    return made;
  };

  const wins: Win[] = [];
  const counted: Win[] = [];
  await Promise.all(
    Array.from({ length: CLAIMERS }, async (_, i) => {
      const at = i % stores.length;
      const agent = `agent${i}`;
      // Round the cells until none of them has anything.
      for (let turn = i, empty = 0; empty < cells.length; turn++) {
        const { grants } = readClaim(await claim(at, cells[turn % cells.length] as Cell, agent, 1 + (i % 8)));
        empty = grants.length === 0 ? empty + 1 : 0;
        const won = grants.map(({ ref, token }): Win => ({ ref, token, agent }));
        wins.push(...won);
        const replies = await Promise.all(won.map((win) => complete(stores[at] as Store, win)));
        counted.push(...won.filter((_, n) => replies[n]?.[0] !== 'lost'));
      }
    }),
  );
  await judge(connections[0] as Redis | Cluster, cells, wids, wins, counted);
  return wins.length;
}

async function judge(
  redis: Redis | Cluster,
  cells: readonly Cell[],
  wids: readonly string[],
  wins: readonly Win[],
  counted: readonly Win[],
): Promise<void> {
  const total = WORKFLOWS * JOBS;
  // The claimers' side.
  expect(wins).toHaveLength(total);
  expect(new Set(wins.map(({ ref }) => ref)).size).toBe(total);
  expect(new Set(wins.map(({ ref, token }) => `${cellIndexOf(ref)} ${token}`)).size).toBe(total);
  expect(counted).toHaveLength(total);
  expect(new Set(wins.map(({ agent }) => agent)).size).toBeGreaterThan(CLAIMERS / 2);

  // Redis' side.
  const jobs = new Map<string, Job>();
  let fences = 0;
  for (const cell of cells) {
    const mine = wids.filter((wid) => cellIndexOf(wid) === cell.index);
    const buckets = new Set(mine.map((wid) => keys.bucket(cell, wid)));
    for (const bucket of buckets) {
      for (const [field, bytes] of Object.entries(await redis.hgetallBuffer(bucket))) {
        if (field.includes('-')) jobs.set(field, readJobRow(bytes));
      }
    }
    fences += Number(await redis.hget(keys.meta(cell), 'fence'));
    expect(Number(await redis.hget(keys.meta(cell), 'fence'))).toBe(mine.length * JOBS);
    expect(await redis.hget(keys.meta(cell), 'wasted')).toBeNull();
    for (const key of [keys.queue(cell, 'q'), keys.offers(cell), keys.leases(cell)]) {
      expect(await redis.zcard(key), `left in ${key}`).toBe(0);
    }
    expect((await redis.zrange(keys.todo(cell), '0', '-1')).sort()).toEqual(mine.toSorted());
  }
  expect(fences).toBe(total);
  expect(jobs.size).toBe(total);
  for (const { ref, token, agent } of wins) {
    expect(jobs.get(ref)).toMatchObject({
      state: State.succeeded,
      claims: 1,
      token,
      agent,
      hold: 0,
      output: `"${agent}"`,
    });
  }
}

function submit(store: Store, wid: string): Promise<SubmitReply> {
  return new Promise((done, failed) => store.submit(wid, flow(wid, { jobs: JOBS }), done, failed));
}

function complete(store: Store, win: Win): Promise<CompleteReply> {
  return new Promise((done, failed) =>
    store.complete(win.ref.slice(0, 26), success(win, `"${win.agent}"`), done, failed),
  );
}

/** Every so often a call is made and its answer lost. */
export function losing(redis: Redis | Cluster, every: number): Redis {
  let calls = 0;
  const callBuffer = async (command: string, args: (string | Buffer)[]): Promise<unknown> => {
    const reply = await redis.callBuffer(command, args);
    calls++;
    if (calls % every === 0) throw new Error('Command timed out');
    return reply;
  };
  return { callBuffer } as unknown as Redis;
}
