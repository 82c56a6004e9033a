/** Another agent is preferred for a job that one agent has failed; where there is none, nothing waits. */
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
let client: DibsClient;
let agents: RawAgent[] = [];

beforeAll(async () => {
  // A preference that ends by itself would end these tests as failures.
  one = await startCoordinator(redis().url, {
    times: { avoidMs: 3_600_000, pollMs: 20, retryBackoffMs: 1, retryBackoffMaxMs: 1, dueMs: 20 },
  });
  client = createClient({ address: one.address });
});
afterEach(() => {
  for (const agent of agents) agent.close();
  agents = [];
});
afterAll(async () => {
  client?.[Symbol.dispose]();
  await one?.stop();
});

async function connect(options: Omit<RawAgentOptions, 'address'>): Promise<RawAgent> {
  const made = new RawAgent({ address: one.address, ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

/** The coordinator's poll has seen an agent for the type. */
async function seen(type: string): Promise<void> {
  const { workflow } = await client.submit({ steps: [{ type, input: {} }] });
  await until(`the poll to see ${type}`, async () => !(await client.get(workflow.id)).unrunnable);
  await client.cancel(workflow.id);
}

const failFirst: RawAgentOptions['answer'] = (offer) => {
  if (offer.type !== 'flaky') return undefined;
  return offer.attempt === 1 ? { fail: 'HICCUP', retryable: true } : { output: offer.attempt };
};

test('the retry of a failed job runs on another agent', async () => {
  const [left, right] = await Promise.all([
    connect({ id: 'left', types: ['flaky', 'left'], answer: failFirst }),
    connect({ id: 'right', types: ['flaky', 'right'], answer: failFirst }),
  ]);
  await Promise.all([seen('left'), seen('right')]);
  const { workflow } = await client.submit({
    steps: [{ type: 'flaky', forEach: { items: 12 }, input: {}, retries: 1 }],
  });
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });
  const { steps } = await client.get(workflow.id, { includeJobs: true });
  const retried = (steps[0]?.jobs ?? []).filter((job) => job.replaces !== null);
  expect(retried).toHaveLength(12);
  for (const job of retried) {
    const [first, second, ...more] = job.history;
    expect(more).toEqual([]);
    expect(first).toMatchObject({ attempt: 1, end: 'failed', reason: 'HICCUP' });
    expect(second).toMatchObject({ attempt: 2, end: 'succeeded', reason: null });
    expect(new Set([first?.agentId, second?.agentId])).toEqual(new Set([left.id, right.id]));
    expect(first?.claimedAt && first.startedAt && first.endedAt).toBeInstanceOf(Date);
  }
});

test('with one agent alone it runs there, without delay', async () => {
  const only = await connect({ types: ['flaky', 'only'], answer: failFirst });
  await seen('only');
  const { workflow } = await client.submit({ steps: [{ type: 'flaky', input: {}, retries: 1 }] });
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });
  const attempts = only.offers.filter(({ type }) => type === 'flaky').map(({ attempt }) => attempt);
  expect(attempts).toEqual([1, 2]);
});

test('once others are gone, who failed it takes it', async () => {
  const first = await connect({ id: 'first', types: ['flaky', 'first'], answer: failFirst });
  const idle = await connect({ id: 'idle', types: ['flaky', 'idle'], credits: 0, answer: () => undefined });
  await seen('first');
  await seen('idle');
  const { workflow } = await client.submit({ steps: [{ type: 'flaky', input: {}, retries: 1 }] });
  await until('the retry to wait', async () => {
    const { steps } = await client.get(workflow.id, { includeJobs: true });
    return (steps[0]?.jobs[1]?.queuePosition ?? 0) > 0;
  });
  idle.close();
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });
  expect(first.offers.filter(({ type }) => type === 'flaky')).toHaveLength(2);
});
