/** A box that fails every job at once takes few of them: it is shut out, and let back in once it has done one well. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
const times = {
  pollMs: 20,
  dueMs: 20,
  quarantineMs: 300,
  quarantineMaxMs: 600,
  retryBackoffMs: 1,
  retryBackoffMaxMs: 1,
  heartbeatMs: 50,
};
const coordinators: TestCoordinator[] = [];
let client: DibsClient;

beforeAll(async () => {
  coordinators.push(
    await startCoordinator(redis().url, { times }),
    await startCoordinator(redis().url, { times }),
  );
  client = createClient({ address: coordinators[0]?.address ?? '' });
});
afterAll(async () => {
  client?.[Symbol.dispose]();
  for (const one of coordinators) await one.stop();
});

async function connect(options: Omit<RawAgentOptions, 'address'>, at = 0): Promise<RawAgent> {
  const agent = new RawAgent({ address: coordinators[at]?.address ?? '', ...options });
  onTestFinished(() => agent.close());
  await agent.welcomed;
  return agent;
}

/** The poll has seen that many agents that can run the type. */
const seen = (type: string, agents: number): Promise<unknown> =>
  until(`${agents} agents for ${type}`, async () => {
    const { workflow } = await client.submit({ steps: [{ type, input: {} }] });
    await client.wait(workflow.id);
    for await (const queue of client.queues()) if (queue.name === type) return queue.eligibleAgents >= agents;
    return false;
  });

async function runAll(type: string, count: number): Promise<{ succeeded: number; failed: number }> {
  const ids = await Promise.all(
    Array.from(
      { length: count },
      async () => (await client.submit({ steps: [{ type, input: {} }] })).workflow.id,
    ),
  );
  const ended = await Promise.all(ids.map((id) => client.wait(id)));
  const succeeded = ended.filter(({ status }) => status === 'succeeded').length;
  return { succeeded, failed: count - succeeded };
}

test.each([
  ['at one coordinator', 0],
  ['at two', 1],
])('%s: a box that fails everything beside a good one', async (_, at) => {
  const type = `work${at}`;
  let isMade = true;
  const bad = await connect({
    id: `bad-${at}`,
    types: [type],
    credits: 4,
    answer: () => (isMade ? { output: 1 } : { fail: 'GPU_LOST' }),
  });
  const good = await connect(
    { id: `good-${at}`, types: [type], credits: 4, answer: () => ({ output: 1 }) },
    at,
  );
  // With its heartbeats its coordinator tells the others how it does.
  good.on('ack', () => good.send({ heartbeat: { held: [] } }));
  await seen(type, 2);

  isMade = false;
  const { succeeded } = await runAll(type, 200);
  expect(succeeded).toBeGreaterThanOrEqual(190);
  const first = await until('its quarantine', async () => (await client.getAgent(bad.id)).quarantine);
  expect(first).toMatchObject({ by: 'automatic', reason: expect.stringContaining('GPU_LOST') });

  // Its trials are jobs like any other: they fail nowhere, and it stays shut out for longer.
  const trial = await until('a failed trial', async () => {
    const { succeeded: all } = await runAll(type, 5);
    expect(all).toBe(5);
    const { quarantine } = await client.getAgent(bad.id);
    expect(quarantine).not.toBeNull();
    return (quarantine?.times ?? 0) > 0 && quarantine;
  });
  expect(trial.reason).toContain('GPU_LOST');
  expect(['quarantined', 'canary']).toContain((await client.getAgent(bad.id)).status);

  isMade = true;
  const offersBefore = bad.offers.length;
  await until('its release', async () => {
    await runAll(type, 5);
    return (await client.getAgent(bad.id)).quarantine === null;
  });
  expect(bad.offers.length).toBeGreaterThan(offersBefore);
  expect((await client.getAgent(bad.id)).status).toBe('connected');
});

test('an input that can never work says nothing against its agent; where all fail, nobody is shut out', async () => {
  const answer: RawAgentOptions['answer'] = (offer) =>
    offer.type === 'picky' ? { fail: 'INVALID_INPUT' } : { fail: 'BROKEN' };
  const answerGood: RawAgentOptions['answer'] = (offer) =>
    offer.type === 'picky' ? { output: 1 } : { fail: 'BROKEN' };
  await connect({ id: 'picky', types: ['picky', 'all-bad'], credits: 2, answer });
  await connect({ id: 'other', types: ['picky', 'all-bad'], credits: 2, answer: answerGood });
  await runAll('picky', 40);
  expect((await runAll('all-bad', 40)).failed).toBe(40);
  for (const id of ['picky', 'other']) {
    expect(await client.getAgent(id)).toMatchObject({ status: 'connected', quarantine: null });
  }
});

test('the only one that can run a type goes on as before', async () => {
  const only = await connect({ id: 'only', types: ['rare'], credits: 8, answer: () => ({ fail: 'BROKEN' }) });
  expect((await runAll('rare', 24)).failed).toBe(24);
  expect(only.offers).toHaveLength(24);
  expect(await client.getAgent('only')).toMatchObject({ status: 'connected', quarantine: null });
});

test('a suspect holds jobs only it can run as before', async () => {
  const steps = [{ type: 'pinned', input: {}, requirement: { labels: { host: 'here' } } }];
  let answer: RawAgentOptions['answer'] = () => ({ fail: 'BROKEN' });
  const pinned = await connect({
    id: 'pinned',
    types: ['pinned'],
    labels: { host: 'here' },
    credits: 8,
    answer: (offer) => answer(offer),
  });
  await connect({ id: 'elsewhere', types: ['pinned'], credits: 8, answer: () => ({ output: 1 }) });
  await seen('pinned', 2);
  for (let i = 0; i < 8; i++) await client.wait((await client.submit({ steps })).workflow.id);
  const before = pinned.offers.length;
  answer = () => undefined;
  for (let i = 0; i < 3; i++) await client.submit({ steps });
  await until('all three', () => pinned.offers.length === before + 3);
  expect((await client.getAgent('pinned')).quarantine).toBeNull();
});
