/** Tenants share a queue by their weights, whoever came first and however much waits; tiers and rates hold. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
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
const clients = new Map<string, DibsClient>();
let agents: RawAgent[] = [];

const TENANTS = ['a', 'b', 'heavy', 'light', 'modest', 'capped'];

beforeAll(async () => {
  one = await startCoordinator(redis().url, {
    times: { pollMs: 50 },
    tokens: ['agents'],
    tenants: TENANTS.map((name) => ({
      name,
      tokens: [`token-${name}`],
      weight: name === 'heavy' ? 2 : 1,
      ...(name === 'modest' && { maxPriority: 'normal' as const }),
      ...(name === 'capped' && { maxRunning: 3 }),
    })),
    rates: new Map([['rated', { perSecond: 0.001, burst: 3 }]]),
  });
  for (const name of TENANTS)
    clients.set(name, createClient({ address: one.address, token: `token-${name}` }));
});
afterEach(() => {
  for (const agent of agents) agent.close();
  agents = [];
});
afterAll(async () => {
  for (const client of clients.values()) client.close();
  await one?.stop();
});

function clientOf(name: string): DibsClient {
  return clients.get(name) as DibsClient;
}

async function connect(options: Omit<RawAgentOptions, 'address'>): Promise<RawAgent> {
  const made = new RawAgent({ address: one.address, token: 'agents', ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

async function submit(tenant: string, type: string, count: number): Promise<Set<string>> {
  const ids = new Set<string>();
  const workflows = Array.from({ length: count }, (_, index) => ({
    requestId: `${type}-${index}`,
    workflow: { allowUnknownTypes: true, steps: [{ type, input: {} }] },
  }));
  for await (const outcome of clientOf(tenant).submitMany(workflows))
    if (outcome.kind === 'acked') ids.add(outcome.workflowId);
  return ids;
}

/** Which tenant each claim went to, in order. */
async function claims(
  type: string,
  owners: ReadonlyMap<string, ReadonlySet<string>>,
  count: number,
): Promise<string[]> {
  const order: string[] = [];
  const agent = await connect({
    types: [type],
    credits: 64,
    answer: ({ workflowId }) => {
      for (const [tenant, ids] of owners) if (ids.has(workflowId)) order.push(tenant);
      return { output: null };
    },
  });
  await until('the claims', () => order.length >= count, { timeoutMs: 60_000 });
  agent.grant(0);
  return order.slice(0, count);
}

test('50,000 jobs of one tenant do not keep another waiting: its first job is the next in line', async () => {
  const a = await submit('a', 'fair.crowd', 50_000);
  const b = await submit('b', 'fair.crowd', 10);
  const order = await claims(
    'fair.crowd',
    new Map([
      ['a', a],
      ['b', b],
    ]),
    40,
  );
  // One of each tenant is at the front; equal shares from there on.
  expect(order.indexOf('b')).toBeLessThanOrEqual(1);
  expect(order.slice(0, 20).filter((tenant) => tenant === 'b')).toHaveLength(10);
}, 120_000);

test('weights 1:2 give 1:2 within 3 % over the first 3,000 claims', async () => {
  const light = await submit('light', 'fair.weights', 3000);
  const heavy = await submit('heavy', 'fair.weights', 3000);
  const order = await claims(
    'fair.weights',
    new Map([
      ['light', light],
      ['heavy', heavy],
    ]),
    3000,
  );
  const share = order.filter((tenant) => tenant === 'heavy').length / order.length;
  expect(share).toBeGreaterThan((2 / 3) * 0.97);
  expect(share).toBeLessThan((2 / 3) * 1.03);
  // And not only at the end: in every stretch of 300.
  for (let from = 0; from < 3000; from += 300) {
    const part = order.slice(from, from + 300).filter((tenant) => tenant === 'heavy').length;
    expect(part).toBeGreaterThan(190);
    expect(part).toBeLessThan(210);
  }
}, 60_000);

test("a priority above the tenant's tier is refused, with its place", async () => {
  const spec = { allowUnknownTypes: true, steps: [{ type: 'fair.tier', priority: 'high' as const }] };
  await expect(clientOf('modest').submit(spec)).rejects.toMatchObject({
    reason: 'INVALID_WORKFLOW',
    problems: [
      { path: 'steps[0].priority', reason: 'OUT_OF_RANGE', message: 'is at most normal for this tenant' },
    ],
  });
  await clientOf('a').submit(spec);
});

test("another tenant's workflows and jobs do not exist", async () => {
  const { workflow } = await clientOf('a').submit({
    allowUnknownTypes: true,
    steps: [{ type: 'fair.mine' }],
  });
  await expect(clientOf('b').get(workflow.id)).rejects.toMatchObject({ reason: 'WORKFLOW_NOT_FOUND' });
  const watch = clientOf('b').watchPosition([`job_${workflow.id.slice(3)}-0-0`]);
  await expect(watch.next()).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' });
});

test('a wrong token is nobody', async () => {
  using stranger = createClient({ address: one.address, token: 'token-c' });
  await expect(stranger.list().next()).rejects.toMatchObject({ reason: 'UNAUTHENTICATED' });
});

test('of a limited type no more is claimed than its bucket holds, and the job says what keeps it', async () => {
  const agent = await connect({ types: ['rated', 'free'], answer: () => ({ output: null }) });
  const ids = await submit('a', 'rated', 5);
  const free = await submit('a', 'free', 5);
  await until('three of the limited type and all of the other', () => agent.acks.length === 8);
  const rated = agent.offers.filter(({ type }) => type === 'rated').map(({ workflowId }) => workflowId);
  expect(rated).toHaveLength(3);
  expect(agent.offers.filter(({ workflowId }) => free.has(workflowId))).toHaveLength(5);
  const [waiting] = [...ids].filter((id) => !rated.includes(id));
  const told = await clientOf('a').explainJob(`job_${(waiting as string).slice(3)}-0-0`);
  expect(told.holds).toEqual(['rated is limited to 0.001 jobs a second']);
  expect(told.summary).toBe('It waits: rated is limited to 0.001 jobs a second.');
});

test('a tenant at its cap waits for its own jobs, others do not; single jobs and fan-outs alike', async () => {
  const type = 'fair.cap';
  const { workflow } = await clientOf('capped').submit({
    allowUnknownTypes: true,
    steps: [{ type, forEach: { items: 20 }, input: {} }],
  });
  const single = await submit('capped', type, 10);
  const owned = new Set([workflow.id, ...single]);
  const other = await submit('a', type, 10);
  let held = 0;
  let most = 0;
  const open: Parameters<RawAgent['complete']>[0][] = [];
  const agent = await connect({
    types: [type],
    credits: 64,
    answer: (offer) => {
      if (!owned.has(offer.workflowId)) return { output: null };
      held++;
      most = Math.max(most, held);
      open.push(offer);
      return undefined;
    },
  });
  await until('the jobs of the other tenant', () => agent.acks.length === other.size);
  await until('the cap', () => held === 3);
  for (let ended = 0; ended < 30; ended++) {
    const offer = await until(`job ${ended + 1} of the capped tenant`, () => open.shift());
    held--;
    agent.complete(offer, { output: ended });
  }
  expect(most).toBe(3);
  await until('the end', async () => (await clientOf('capped').get(workflow.id)).status === 'succeeded');
});

test('a canceled workflow leaves nothing parked behind', async () => {
  const type = 'fair.cancel';
  const agent = await connect({ types: [type], answer: () => undefined });
  const first = await submit('capped', type, 3);
  await until('the cap', () => agent.offers.length === 3);
  const { workflow } = await clientOf('capped').submit({
    allowUnknownTypes: true,
    steps: [
      { type, forEach: { items: 8 }, input: {} },
      { type, input: {} },
    ],
  });
  const [single] = await submit('capped', 'fair.cancel', 4).then((ids) =>
    [...ids].filter((id) => !first.has(id)),
  );
  await clientOf('capped').cancel(workflow.id);
  await clientOf('capped').cancel(single as string);
  for (const id of first) await clientOf('capped').cancel(id);
  const last = await clientOf('capped').submit({
    allowUnknownTypes: true,
    steps: [{ type, input: { last: true } }],
  });
  const offer = await until('a job behind them', () =>
    agent.offers.find(({ workflowId }) => workflowId === last.workflow.id),
  );
  agent.complete(offer, { output: null });
  expect(agent.offers).toHaveLength(4);
  await until('its end', async () => (await clientOf('capped').get(last.workflow.id)).status === 'succeeded');
});
