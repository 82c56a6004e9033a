/** Places in the queue: what is told is the order in which jobs are then claimed; watched jobs are followed to their end. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, StandingView } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let one: TestCoordinator;
let client: DibsClient;
let agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url, { times: { pollMs: 20 } });
  client = createClient({ address: one.address });
});
afterEach(() => {
  for (const agent of agents) agent.close();
  agents = [];
});
afterAll(async () => {
  client?.close();
  await one?.stop();
});

async function connect(options: Omit<RawAgentOptions, 'address'>): Promise<RawAgent> {
  const made = new RawAgent({ address: one.address, ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

/** Single-job workflows of these costs; the ids of their jobs. */
async function submit(type: string, costs: readonly number[]): Promise<string[]> {
  const ids: string[] = [];
  const workflows = costs.map((cost, index) => ({
    requestId: `${type}-${index}`,
    workflow: { allowUnknownTypes: true, steps: [{ type, input: { index }, cost }] },
  }));
  for await (const outcome of client.submitMany(workflows))
    if (outcome.kind === 'acked') ids[outcome.index] = `job_${outcome.workflowId.slice(3)}-0-0`;
  return ids;
}

/** What the first message of a watch says of each job. */
async function standings(ids: readonly string[]): Promise<Map<string, StandingView>> {
  const found = new Map<string, StandingView>();
  for await (const changed of client.watchPosition(ids)) {
    for (const standing of changed) found.set(standing.jobId, standing);
    if (found.size === ids.length) break;
  }
  return found;
}

describe.each([10, 1000, 100_000])('%d jobs of one class', (count) => {
  test('each place is the true claim order', async () => {
    const type = `place.${count}`;
    const ids = await submit(
      type,
      Array.from({ length: count }, (_, index) => 1 + (index % 3)),
    );
    // The fleet is complete but takes nothing: arrivals and claims are frozen.
    const order: string[] = [];
    const agent = await connect({
      types: [type],
      credits: 0,
      answer: (offer) => {
        order.push(offer.jobId);
        return { output: null };
      },
    });
    const some = [...new Set(Array.from({ length: 200 }, (_, k) => Math.floor((k * (count - 1)) / 199)))];
    await until('the poll to see the agent', async () => {
      const first = (await standings([ids[0] as string])).get(ids[0] as string);
      return first?.forecast?.eligibleAgents === 1;
    });
    const told = await standings(some.map((index) => ids[index] as string));
    for (const { forecast } of told.values()) expect(forecast?.exact).toBe(true);
    // As many are claimed as there are in front of the last place looked at, or the first 2,000.
    const claimed = Math.min(count, 2000);
    agent.grant(64);
    await until('the claims', () => order.length >= claimed, { timeoutMs: 60_000 });
    agent.grant(0);
    order.slice(0, claimed).forEach((id, index) => {
      const standing = told.get(id);
      if (standing !== undefined) expect(standing.forecast?.position).toBe(index + 1);
    });
    // Behind them: the order of arrival, as all are one tenant's.
    for (const index of some) {
      expect(told.get(ids[index] as string)?.forecast?.position).toBe(index + 1);
    }
    expect(order.slice(0, claimed)).toEqual(ids.slice(0, claimed));
  }, 120_000);
});

test('jobs of a fan-out have places, exact, and the cost before them', async () => {
  const { workflow } = await client.submit({
    allowUnknownTypes: true,
    steps: [{ type: 'place.wide', forEach: { items: 300 }, input: {}, cost: 2 }],
  });
  await connect({ types: ['place.wide'], credits: 0, answer: () => undefined });
  const view = await until('the poll to see the agent', async () => {
    const found = await client.get(workflow.id, { includeJobs: true });
    return found.unrunnable ? undefined : found;
  });
  const jobs = view.steps[0]?.jobs ?? [];
  expect(jobs.map(({ forecast }) => forecast?.position)).toEqual(
    Array.from({ length: 300 }, (_, i) => i + 1),
  );
  expect(jobs.every(({ forecast }) => forecast?.exact)).toBe(true);
  expect(jobs.at(-1)?.forecast?.costAhead).toBeGreaterThan(290 * 2);
  expect(jobs.at(-1)?.forecast?.costAhead).toBeLessThan(310 * 2);
});

test('a place counts jobs of other classes that the likely agent takes before; then it is an estimate', async () => {
  const [old] = await submit('place.old', [1, 1, 1]);
  const [young] = await submit('place.young', [1]);
  await connect({ types: ['place.old', 'place.young'], credits: 0, answer: () => undefined });
  await until('the poll to see the agent', async () => {
    const told = await standings([old as string, young as string]);
    const forecast = told.get(young as string)?.forecast;
    return forecast?.eligibleAgents === 1 && forecast.position === 4 && !forecast.exact;
  });
  expect((await standings([old as string])).get(old as string)?.forecast?.position).toBe(1);
});

test('a watch follows a job from its place over its start to its end, and ends', async () => {
  const ids = await submit('place.live', [1, 1]);
  const agent = await connect({ types: ['place.live'], credits: 0, answer: () => undefined });
  const seen: string[] = [];
  const watched = (async () => {
    for await (const changed of client.watchPosition([ids[1] as string])) {
      for (const { status, forecast } of changed) seen.push(`${status} ${forecast?.position ?? '-'}`);
    }
  })();
  await until('the first place', () => seen.length > 0);
  agent.grant(1);
  const first = await until('the first offer', () => agent.offers[0]);
  await until('the second place', () => seen.includes('unassigned 1'));
  agent.complete(first, { output: 1 });
  const second = await until('the second offer', () => agent.offers[1]);
  await until('the claim', () => seen.some((line) => line.startsWith('scheduled')));
  agent.complete(second, { output: 2 });
  await watched;
  expect(seen[0]).toBe('unassigned 2');
  expect(seen.at(-1)).toBe('succeeded -');
});

test('what does not exist is not found', async () => {
  const watch = client.watchPosition(['job_nothing']);
  await expect(watch.next()).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' });
  await expect(client.explainJob('job_nothing')).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' });
  await expect(client.explainAgent('nobody')).rejects.toMatchObject({ reason: 'AGENT_NOT_FOUND' });
});
