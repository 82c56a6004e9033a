/** Redis without memory: nothing new is taken, everything under way goes on to its end, and new work is taken afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAgent } from '../../../agent/agent.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { agentConfig, quietLog } from '../agent/support/agent-config.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let raw: Redis;
let one: TestCoordinator;
let client: DibsClient;
beforeAll(async () => {
  raw = new Redis({ host: redis().host, port: redis().port });
  one = await startCoordinator(redis().url, { times: { sweepMs: 200, dueMs: 200 } });
  client = createClient({ address: one.address });
});
afterAll(async () => {
  client?.close();
  await one?.stop();
  raw?.disconnect();
});
let closing: (() => unknown)[] = [];
beforeEach(() => (closing = []));
afterEach(async () => {
  await setFull(false);
  for (const close of closing.toReversed()) await close();
});

/** Less than what is used already, or no limit. */
async function setFull(isFull: boolean): Promise<void> {
  await raw.config('SET', 'maxmemory', isFull ? '1' : '0');
}

/** Commands Redis has refused for want of memory. */
async function refusals(): Promise<number> {
  return Number(/errorstat_OOM:count=(\d+)/.exec(await raw.info('errorstats'))?.[1] ?? 0);
}

/** An agent that keeps each job until the test answers it. */
async function holdingAgent(types: readonly string[]): Promise<RawAgent> {
  const agent = new RawAgent({ address: one.address, types, answer: () => undefined });
  closing.push(() => agent.close());
  agent.on('offer', ({ jobId, token }) => agent.send({ accepted: [{ jobId, token }] }));
  await agent.welcomed;
  return agent;
}

describe('while Redis is full', () => {
  test('submits are refused with the time to come back, one by one and on a stream, and taken afterwards', async () => {
    const workflow = { allowUnknownTypes: true, steps: [{ type: 'later', input: {} }] };
    await setFull(true);
    await expect(client.submit(workflow)).rejects.toMatchObject({
      reason: 'STORE_FULL',
      code: 8,
      retryAfterMs: 5000,
    });
    const outcomes: unknown[] = [];
    for await (const outcome of client.submitMany([workflow, workflow])) outcomes.push(outcome);
    expect(outcomes).toEqual([
      expect.objectContaining({ kind: 'refused', error: expect.objectContaining({ reason: 'STORE_FULL' }) }),
      expect.objectContaining({ kind: 'refused', error: expect.objectContaining({ reason: 'STORE_FULL' }) }),
    ]);
    await setFull(false);
    expect((await client.submit(workflow)).workflow.status).toBe('unassigned');
  });

  test('claims, results and decisions are stored: a fan-out begins, runs and ends', async () => {
    const agent = await holdingAgent(['split', 'count', 'merge']);
    const { workflow } = await client.submit({
      steps: [
        { type: 'split', name: 'split', input: {} },
        {
          type: 'count',
          name: 'count',
          forEach: { items: { $ref: 'split', path: 'output.parts' }, as: 'part' },
          input: { part: { $ref: 'part' } },
        },
        { type: 'merge', name: 'merge', input: { parts: { $ref: 'count', path: 'output.items' } } },
      ],
    });
    await until('the first job', () => agent.offers.length === 1);
    await setFull(true);
    agent.on('offer', (offer) => agent.complete(offer, { output: JSON.parse(offer.inputJson) as unknown }));
    const [first] = agent.offers;
    agent.complete(first as never, { output: { parts: Array.from({ length: 300 }, (_, i) => i) } });
    const { status, steps } = await client.wait(workflow.id, { timeoutMs: 30_000 });
    expect(status).toBe('succeeded');
    expect(steps.map(({ status: each }) => each)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(agent.offers).toHaveLength(302);
    expect(agent.acks.filter(({ refused }) => refused !== '')).toEqual([]);
  });

  test('an agent of the real kind ends what was submitted before', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-full-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const agent = createAgent({
      config: agentConfig(folder, [one.address], { types: 'value.echo' }),
      log: quietLog,
    });
    await agent.start();
    closing.push(async () => {
      agent.force('the test is over');
      await agent.ended;
    });
    await until('it to be connected', async () => {
      for await (const { name, status } of client.agents())
        if (name === 'test-agent') return status === 'connected';
      return false;
    });
    const steps = [
      { type: 'value.echo', name: 'list', input: Array.from({ length: 200 }, (_, i) => i) },
      {
        type: 'value.echo',
        name: 'each',
        forEach: { items: { $ref: 'list', path: 'output' }, as: 'i' },
        input: { $ref: 'i' },
      },
    ];
    const { workflow } = await client.submit({ steps });
    await setFull(true);
    const ended = await client.wait(workflow.id, { timeoutMs: 30_000 });
    expect(ended.status).toBe('succeeded');
    await expect(client.submit({ steps })).rejects.toMatchObject({ reason: 'STORE_FULL' });
    await setFull(false);
    const { workflow: next } = await client.submit({ steps });
    expect((await client.wait(next.id, { timeoutMs: 30_000 })).status).toBe('succeeded');
  });

  test('agents with types nobody had are greeted and listed', async () => {
    const { address } = one;
    await setFull(true);
    const late = new RawAgent({ address, types: ['brand-new'], answer: () => undefined });
    closing.push(() => late.close());
    await expect(late.welcomed).resolves.toBeDefined();
    const listed = async (): Promise<string | undefined> => {
      for await (const { id, status } of client.agents()) if (id === late.id) return status;
      return undefined;
    };
    await until('it to be listed', async () => (await listed()) === 'connected');
  });

  test('a coordinator starts', async () => {
    await setFull(true);
    const two = await startCoordinator(redis().url);
    closing.push(() => two.stop());
    expect(two.address).not.toBe('');
  });

  test('further jobs wait with their session alive, their job is not done before them, and all is stored afterwards', async () => {
    const agent = await holdingAgent(['emits']);
    const { workflow } = await client.submit({ steps: [{ type: 'emits', input: { n: 0 } }] });
    await until('the job', () => agent.offers.length === 1);
    const [offer] = agent.offers;
    const { jobId, token } = offer as NonNullable<typeof offer>;
    await setFull(true);
    const before = await refusals();
    agent.send({ emitted: [{ jobId, token, batch: 1, inputsJson: ['{"n":1}', '{"n":2}'] }] });
    agent.complete(offer as never, { output: 'asked' });
    await until('Redis to have refused it', async () => (await refusals()) > before);
    expect(agent.error).toBeUndefined();
    expect(agent.emitAcks).toEqual([]);
    expect(agent.acks).toEqual([]);
    expect((await client.get(workflow.id)).status).not.toBe('succeeded');
    await setFull(false);
    agent.on('offer', (more) => agent.complete(more, { output: JSON.parse(more.inputJson) as unknown }));
    const { status, steps } = await client.wait(workflow.id, { timeoutMs: 30_000 });
    expect(status).toBe('succeeded');
    expect(steps[0]?.output).toEqual({ items: ['asked', { n: 1 }, { n: 2 }] });
    expect(agent.emitAcks).toHaveLength(1);
    expect(agent.error).toBeUndefined();
  });
});
