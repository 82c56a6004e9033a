/** Model files that are fetched for a held job: its state, what is told of them, and what follows. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let coordinator: TestCoordinator;
let client: DibsClient;
let agent: RawAgent;

beforeAll(async () => {
  coordinator = await startCoordinator(redis().url);
  client = createClient({ address: coordinator.address });
  agent = new RawAgent({ address: coordinator.address, types: ['image'], answer: () => undefined });
  await agent.welcomed;
});
afterAll(async () => {
  agent?.close();
  client?.[Symbol.dispose]();
  await coordinator?.stop();
});

test('a job whose model is fetched is preparing, and consumers see how far it is', async () => {
  const { workflow } = await client.submit({ steps: [{ type: 'image', input: {} }] });
  await until('an offer', () => agent.offers.length === 1);
  const [offer] = agent.offers;
  const about = { jobId: offer?.jobId ?? '', token: offer?.token ?? '' };
  const file = {
    model: 'sdxl',
    bytesDone: 2_000_000,
    bytesTotal: 6_000_000,
    bytesPerSecond: 1e6,
    etaMs: 4000,
  };
  agent.send({ accepted: [about], preparing: [{ ...about, ...file }] });
  // Too soon after the first to be written down.
  agent.send({ preparing: [{ ...about, ...file, bytesDone: 2_000_001 }] });
  await until('the job to be preparing', async () => {
    const { steps } = await client.get(workflow.id, { includeJobs: true });
    return steps[0]?.jobs[0]?.status === 'preparing';
  });
  const waiting = await client.get(workflow.id, { includeJobs: true });
  expect(waiting.steps[0]).toMatchObject({ status: 'scheduled', jobs: [{ agentId: agent.id, attempt: 1 }] });

  agent.send({ started: [about] });
  agent.complete(offer as never, { output: 1 });
  const types: string[] = [];
  const told: unknown[] = [];
  for await (const event of client.watch(workflow.id)) {
    types.push(event.type);
    if (event.type === 'job.preparing') told.push(event);
  }
  expect(types).toEqual([
    'workflow.created',
    'step.ready',
    'job.queued',
    'job.claimed',
    'job.preparing',
    'workflow.started',
    'step.started',
    'job.started',
    'job.succeeded',
    'step.succeeded',
    'workflow.succeeded',
  ]);
  expect(told).toMatchObject([{ status: 'preparing', agentId: agent.id, data: file }]);
});

test('files fetched for a job that is no longer its agent’s: it is told to stop', async () => {
  const { workflow } = await client.submit({ steps: [{ type: 'image', input: {} }] });
  await until('an offer', () => agent.offers.length === 2);
  const offer = agent.offers[1];
  const about = { jobId: offer?.jobId ?? '', token: offer?.token ?? '' };
  agent.send({ accepted: [about], preparing: [{ ...about, model: 'sdxl' }] });
  await client.cancel(workflow.id);
  await until('the cancel', () => agent.cancels.some(({ jobId }) => jobId === about.jobId));
  const before = agent.cancels.length;
  agent.send({ preparing: [{ ...about, model: 'sdxl' }] });
  await until('another', () => agent.cancels.length > before);
  expect(agent.cancels.at(-1)).toMatchObject({ ...about, reason: 'lease_lost' });
});
