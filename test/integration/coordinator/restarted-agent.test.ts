/** What an agent held and does not name when it comes back is claimable at once, not after its lease. */
import type { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Orphans } from '../../../coordinator/agents/orphans.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { keys, makeCell } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import type { Store } from '../../../coordinator/queue/store.ts';
import { connectRedis } from '../../../runtime/redis/connect.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let one: TestCoordinator;
let two: TestCoordinator;
let client: DibsClient;
let db: Redis | Cluster;
let agents: RawAgent[] = [];

beforeAll(async () => {
  // Leases and offers so long that nothing in here is their doing.
  const times = { leaseMs: 3_600_000, offerMs: 3_600_000, pollMs: 50 };
  one = await startCoordinator(redis().url, { times });
  two = await startCoordinator(redis().url, { times });
  client = createClient({ address: one.address });
  db = await connectRedis({ target: redis().url, name: 'test' });
});
afterEach(() => {
  for (const agent of agents) agent.close();
  agents = [];
});
afterAll(async () => {
  db?.disconnect();
  client?.[Symbol.dispose]();
  await Promise.all([one?.stop(), two?.stop()]);
});

async function connect(options: Partial<RawAgentOptions>): Promise<RawAgent> {
  const made = new RawAgent({ address: one.address, types: ['x'], answer: () => undefined, ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

test.each([
  ['here', (): string => one.address],
  ['at another coordinator', (): string => two.address],
])('an agent restarted %s: what it names stays, the rest goes to others', async (_, address) => {
  const before = await connect({ id: 'same', types: ['x', 'offered'] });
  const { workflow } = await client.submit({
    failMode: 'continue',
    steps: [
      { type: 'x', name: 'kept', input: {} },
      { type: 'x', name: 'forgotten', input: {} },
      { type: 'offered', input: {} },
    ],
  });
  await until('three offers', () => before.offers.length === 3);
  const [kept, forgotten] = before.offers.filter(({ type }) => type === 'x');
  const accepted = [kept, forgotten].map((offer) => ({
    jobId: offer?.jobId ?? '',
    token: offer?.token ?? '',
  }));
  before.send({ accepted, started: accepted });
  await until('both to run', async () => {
    const { steps } = await client.get(workflow.id);
    return steps.filter(({ status }) => status === 'processing').length === 2;
  });

  // Its process is gone; a session that is still open here ends as the new one begins.
  if (address() !== one.address) before.close();
  const other = await connect({ types: ['x', 'offered'] });
  const after = await connect({
    id: 'same',
    address: address(),
    types: ['x'],
    credits: 0,
    hello: { bootId: 'another' },
    held: accepted.slice(0, 1),
  });
  expect(await after.welcomed).toMatchObject({ confirmedJobIds: [kept?.jobId], lostJobIds: [] });
  await until('the others to be offered elsewhere', () => other.offers.length === 2);
  expect(other.offers.map(({ step }) => step)).toEqual(expect.arrayContaining(['forgotten']));
  for (const offer of other.offers) other.complete(offer, { output: 1 });
  after.complete(kept as NonNullable<typeof kept>, { output: 2 });
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });

  const { steps } = await client.get(workflow.id, { includeJobs: true });
  const story = steps.map(({ jobs }) =>
    jobs[0]?.history.map(({ agentId, end, reason }) => [agentId, end, reason]),
  );
  expect(story).toEqual([
    [['same', 'succeeded', null]],
    [
      ['same', 'released', 'AGENT_RESTARTED'],
      [other.id, 'succeeded', null],
    ],
    [
      ['same', 'released', 'AGENT_RESTARTED'],
      [other.id, 'succeeded', null],
    ],
  ]);
});

test('the older session here ends before anything is released', async () => {
  const before = await connect({ id: 'twice', types: ['twice'] });
  await connect({ id: 'twice', types: ['twice'] });
  expect(await until('its end', () => before.error)).toMatchObject({ reason: 'WRONG_STATE' });
});

test('an older session at another coordinator ends soon', async () => {
  const before = await connect({ id: 'moved', types: ['moved'] });
  const after = await connect({ id: 'moved', types: ['moved'], address: two.address });
  expect(await until('its end', () => before.error)).toMatchObject({ reason: 'WRONG_STATE' });
  expect(after.error).toBeUndefined();
});

test('the word that it took an offer could not be stored: the session ends, the next hello says it again', async () => {
  const before = await connect({ id: 'unheard', types: ['unheard'] });
  const { workflow } = await client.submit({ steps: [{ type: 'unheard', input: {} }] });
  const offer = await until('the offer', () => before.offers[0]);
  const { jobId, token } = offer;
  const [cell] = await openCells(db, { namespace: 'dibs', count: 0, masters: 1 });
  const records = keys.bucket(cell as Cell, workflow.id.slice(3));
  await db.multi().rename(records, `${records}:away`).set(records, 'no hash').exec();
  before.send({ accepted: [{ jobId, token }] });
  expect(await until('the end of the session', () => before.error)).toMatchObject({
    reason: 'STORE_UNAVAILABLE',
  });
  await db.rename(`${records}:away`, records);
  const after = await connect({ id: 'unheard', types: ['unheard'], credits: 0, held: [{ jobId, token }] });
  expect(await after.welcomed).toMatchObject({ confirmedJobIds: [jobId] });
  after.complete(offer, { output: 7 });
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });
});

describe('orphans', () => {
  const wid = `00${'a'.repeat(24)}`;
  const holders = vi.fn<Store['holders']>();
  const release = vi.fn<Store['release']>();
  const errors: unknown[] = [];
  const make = (): Orphans =>
    new Orphans({
      store: { cells: [makeCell('orphans', 0, 'o')], holders, release },
      leaseMs: 60_000,
      now: () => 0,
      sleep: () => Promise.resolve(),
      onError: (error) => errors.push(error),
    });
  beforeEach(() => {
    holders.mockReset();
    release.mockReset().mockResolvedValue('ok');
    errors.length = 0;
  });

  test('agents that come as one share a mark and a pass; what was claimed since is left alone', async () => {
    holders.mockImplementation(async (_cell, where, cursor, count) => {
      if (count === 0) return ['0', 1000, []];
      if (where === 'o') return ['0', 5000, [[`${wid}-0-0`, 'since', 'agent7', 1001]]];
      // Two pages of leases: one agent holds a job that it names, and two that it does not; a stranger holds another.
      if (cursor === '0') return ['7', 5000, [[`${wid}-0-1`, 'named', 'agent7', 999]]];
      const rest: [string, string, string, number][] = [
        [`${wid}-0-2`, 'unnamed', 'agent7', 1000],
        [`${wid}-0-3`, 'strange', 'stranger', 999],
      ];
      return ['0', 5000, rest];
    });
    const orphans = make();
    const names = Array.from({ length: 100 }, (_, i) => `agent${i}`);
    const marks = await Promise.all(names.map(() => orphans.mark()));
    expect(new Set(marks.flat())).toEqual(new Set([1000]));
    expect(holders).toHaveBeenCalledTimes(1);
    names.forEach((name, i) => orphans.release(name, new Set(['named']), marks[i] as number[]));
    await until('the release', () => release.mock.calls.length > 0);
    // The first began at once; all others came meanwhile and shared the second.
    expect(holders).toHaveBeenCalledTimes(1 + 2 * 3);
    expect(release.mock.calls).toEqual([[wid, [`${wid}-0-2`, 'unnamed', 'AGENT_RESTARTED']]]);
    expect(errors).toEqual([]);
  });

  test('a pass that fails, at whatever call, is made again', async () => {
    holders
      .mockRejectedValueOnce(new Error('away'))
      .mockResolvedValueOnce(['0', 1, [[`${wid}-0-0`, 'lost', 'a', 1]]])
      .mockRejectedValueOnce(new Error('away again'))
      .mockImplementation(async (_cell, where) => [
        '0',
        1,
        where === 'o' ? [[`${wid}-0-0`, 'lost', 'a', 1]] : [],
      ]);
    release.mockRejectedValueOnce(new Error('and the release'));
    make().release('a', new Set(), [1]);
    await until('the release', () => release.mock.calls.length === 2);
    expect(errors).toEqual(['away', 'away again', 'and the release'].map((message) => new Error(message)));
  });
});
