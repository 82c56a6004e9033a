/** What an agent held and does not name when it comes back is claimable at once, not after its lease. */
import type { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Orphans } from '../../../coordinator/agents/orphans.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { keys, makeCell } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { Store } from '../../../coordinator/queue/store.ts';
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

test('agents that come as one share passes over the cell; what was claimed since is left alone', async () => {
  const cells = [makeCell('orphans', 0, 'o')];
  const clock = { now: () => performance.now(), sleep: () => Promise.reject(new Error('no repeats here')) };
  const times = { leaseMs: 60_000, offerMs: 60_000, avoidMs: 0 };
  const store = new Store({ redis: db, cells, origin: 'me', clock, ...times });
  const release = vi.spyOn(store, 'release').mockResolvedValue('ok');
  const pages = vi.spyOn(store, 'holders');
  const wid = `00${'a'.repeat(24)}`;
  let askedAt = 0;
  pages.mockImplementation(async (_cell, where, cursor, _count, names) => {
    askedAt = Math.max(askedAt, names.length);
    if (where === 'o') return ['0', 1000, [[`${wid}-0-0`, 'since', names[0] as string, 1001]]];
    // Two pages of leases: the first agent of the pass holds one that it names, and one that it does not.
    const ref = cursor === '0' ? `${wid}-0-1` : `${wid}-0-2`;
    const token = cursor === '0' ? 'named' : 'unnamed';
    return [cursor === '0' ? '7' : '0', 2000, [[ref, token, names[0] as string, 999]]];
  });
  const orphans = new Orphans(store);
  const names = Array.from({ length: 100 }, (_, i) => `agent${i}`);
  await Promise.all(names.map((name) => orphans.release(name, new Set(['named']))));
  // The first began at once; all others came meanwhile and shared the second.
  expect(pages).toHaveBeenCalledTimes(2 * 3);
  expect(askedAt).toBe(99);
  expect(release.mock.calls).toEqual([
    [wid, [`${wid}-0-2`, 'unnamed', 'AGENT_RESTARTED']],
    [wid, [`${wid}-0-2`, 'unnamed', 'AGENT_RESTARTED']],
  ]);
});

test('a pass that fails fails those it served, and the next begins anew', async () => {
  const holders = vi.fn<Store['holders']>();
  const orphans = new Orphans({
    cells: [makeCell('orphans', 0, 'o')],
    holders,
    release: () => Promise.resolve('ok' as const),
  });
  holders.mockRejectedValueOnce(new Error('away')).mockResolvedValue(['0', 1, []]);
  await expect(orphans.release('a', new Set())).rejects.toThrow('away');
  await expect(orphans.release('a', new Set())).resolves.toBeUndefined();
});
