/** Why a job waits and why an agent gets nothing; what agents can give right now; who is preferred. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Advertisement__Output } from '../../../proto/gen/index.ts';
import type { Plain } from '../../../proto/gen/load.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, QueueView, RequirementInput } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const GIB = 2 ** 30;
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

async function connect(
  options: Partial<RawAgentOptions> & { readonly id: string; readonly type: string },
  advertisement: Plain<Advertisement__Output> = {},
): Promise<RawAgent> {
  const { type, ...rest } = options;
  const slots = rest.credits ?? 4;
  const made = new RawAgent({
    address: one.address,
    types: [type],
    answer: () => ({ output: null }),
    hello: {
      advertisement: { executors: [{ type, version: '1', concurrency: slots }], slots, ...advertisement },
    },
    ...rest,
  });
  agents.push(made);
  await made.welcomed;
  return made;
}

const gpu = (gib: number): Plain<Advertisement__Output>['hardware'] => ({
  cpuCores: 8,
  memoryBytes: 32 * GIB,
  gpus: [{ uuid: `GPU-${gib}`, model: 'NVIDIA RTX', vramBytes: gib * GIB }],
});

async function submit(
  type: string,
  requirement: RequirementInput = {},
): Promise<{ wid: string; job: string }> {
  const { workflow } = await client.submit({
    allowUnknownTypes: true,
    steps: [{ type, input: {}, requirement }],
  });
  return { wid: workflow.id, job: `job_${workflow.id.slice(3)}-0-0` };
}

test('a job that needs 80 GiB: requirement, nearest agent and gap, in the explanation and on the workflow', async () => {
  await connect({ id: 'small', type: 'big.make' }, { hardware: gpu(8) });
  await connect({ id: 'large', type: 'big.make' }, { hardware: gpu(24) });
  const { wid, job } = await submit('big.make', { alternatives: [{ vram: '80GiB' }] });
  const told = await client.explainJob(job);
  expect(told).toMatchObject({
    status: 'unassigned',
    requirement: 'big.make, 1 GPU with 80 GiB',
    summary: 'None of 2 connected agents can run it.',
    missed: [{ reason: 'vram', agents: 2 }],
    nearest: {
      agentId: 'large',
      reason: 'vram',
      message: 'has 0 GPUs with 80 GiB (the largest has 24 GiB), 1 needed',
      advice: 'Connect a box with such GPUs, or add an alternative that needs less.',
    },
    forecast: { eligibleAgents: 0, startIn: null },
  });
  const view = await client.get(wid, { includeJobs: true });
  expect(view.unrunnable).toBe(true);
  expect(view.unrunnableReason).toMatch(/the nearest, large, has 0 GPUs with 80 GiB/);
  expect(view.steps[0]?.jobs[0]).toMatchObject({ runnable: false });
  const queue = await until('the queue', async () => {
    for await (const one of client.queues()) if (one.name.startsWith('big.make')) return one;
    return undefined;
  });
  expect(queue).toMatchObject({ waiting: 1, eligibleAgents: 0 });
  expect(queue.unrunnableReason).toMatch(/large/);

  const agent = await client.explainAgent('large');
  expect(agent.skipped.find(({ reason }) => reason === 'vram')).toMatchObject({ jobs: 1 });
  expect(agent.runnableJobs).toBe(0);

  // A box that fits comes: the same question has another answer.
  const h100 = await connect({ id: 'h100', type: 'big.make' }, { hardware: gpu(80) });
  await until('the job to end', async () => (await client.get(wid)).status === 'succeeded');
  expect(h100.offers).toHaveLength(1);
  expect((await client.explainJob(job)).summary).toBe('It has ended: succeeded.');
});

test('what an agent can give right now: a paused type and memory other jobs have are not asked for', async () => {
  const agent = await connect({ id: 'moody', type: 'moody.make', credits: 0 }, { hardware: gpu(24) });
  const free = { cachedModels: [], warmModels: [], gpuFreeBytes: [24 * GIB], pausedTypes: [], closed: '' };
  agent.send({ condition: { ...free, pausedTypes: ['moody.make'] } });
  agent.grant(4);
  const { job } = await submit('moody.make', { alternatives: [{ vram: '16GiB' }] });
  await until('the reason', async () => (await client.explainJob(job)).missed[0]?.reason === 'type_paused');
  agent.send({ condition: { ...free, gpuFreeBytes: [4 * GIB] } });
  await until(
    'the other reason',
    async () => (await client.explainJob(job)).missed[0]?.reason === 'vram_busy',
  );
  expect((await client.explainJob(job)).forecast?.unrunnableReason).toBeNull();
  agent.send({ condition: { ...free, closed: 'the disk is full' } });
  await until('the claim', () => agent.offers.length === 1);
});

test('of the agents asked together the one that has the model warm gets the job, then the one that has its files', async () => {
  const type = 'warm.make';
  const models = [{ name: 'sdxl' }];
  const able = { executors: [{ type, version: '1', concurrency: 8, models }] };
  const keep: Partial<RawAgentOptions> = { credits: 0, answer: () => undefined };
  const cold = await connect({ id: 'cold', type, ...keep }, able);
  const cached = await connect({ id: 'cached', type, ...keep }, able);
  const warm = await connect({ id: 'warm', type, ...keep }, able);
  const condition = { gpuFreeBytes: [], pausedTypes: [], closed: '' };
  cached.send({ condition: { ...condition, cachedModels: ['sdxl'], warmModels: [] } });
  warm.send({ condition: { ...condition, cachedModels: ['sdxl'], warmModels: ['sdxl'] } });
  for (const agent of [cold, cached, warm]) agent.grant(1);
  const taken = (): string[] =>
    [cold, cached, warm].filter(({ offers }) => offers.length > 0).map(({ id }) => id);
  await submit(type, { models: ['sdxl'] });
  await until('the first claim', () => taken().length === 1);
  expect(taken()).toEqual(['warm']);
  await submit(type, { models: ['sdxl'] });
  await until('the second claim', () => taken().length === 2);
  expect(taken()).toEqual(['cached', 'warm']);
  // Nobody waits for those that are preferred and busy.
  await submit(type, { models: ['sdxl'] });
  await until('the third claim', () => taken().length === 3);
});

test('all queues are watched by what changes in them', async () => {
  const seen = new Map<string, QueueView>();
  const over = new AbortController();
  const watched = (async () => {
    for await (const { queues } of client.watchQueues({ signal: over.signal }))
      for (const queue of queues) seen.set(queue.name, queue);
  })();
  await submit('watched.make');
  await until('the waiting job', () => seen.get('watched.make')?.waiting === 1);
  const agent = await connect({ id: 'watcher', type: 'watched.make', answer: () => undefined });
  await until('the claimed job', () => {
    const queue = seen.get('watched.make');
    return queue?.waiting === 0 && queue.running === 1 && queue.eligibleAgents === 1;
  });
  agent.complete(agent.offers[0] as never, { output: 1 });
  await until('the end', () => seen.get('watched.make')?.running === 0);
  over.abort();
  await expect(watched).rejects.toThrow();
});

test('a condition no agent of ours would send ends the session', async () => {
  const agent = await connect({ id: 'hostile', type: 'hostile.make' });
  agent.send({ condition: { pausedTypes: ['x'.repeat(1000)] } });
  await until('the end', () => agent.error);
  expect(agent.error?.reason).toBe('PROTOCOL_VIOLATION');
});

test('an agent is told which models waiting jobs want that it does not have, the most wanted first', async () => {
  const type = 'preload.make';
  const executors = [
    {
      type,
      version: '1',
      concurrency: 4,
      models: [{ name: 'sdxl' }, { name: 'flux' }, { name: 'kandinsky' }],
    },
  ];
  const agent = await connect({ id: 'fetcher', type, credits: 0, answer: () => undefined }, { executors });
  agent.send({
    condition: { cachedModels: ['sdxl'], warmModels: [], gpuFreeBytes: [], pausedTypes: [], closed: '' },
  });
  for (const models of [['sdxl'], ['flux'], ['kandinsky'], ['kandinsky']]) await submit(type, { models });
  await until('the hints', () => agent.preloads.length > 0, { timeoutMs: 15_000 });
  expect(agent.preloads.at(-1)?.map(({ model, queuedCost }) => [model, queuedCost])).toEqual([
    ['kandinsky', 2],
    ['flux', 1],
  ]);
});
