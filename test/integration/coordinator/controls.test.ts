/** Operators' words, said to one of two coordinators, and what they do wherever an agent is connected. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createAgent } from '../../../agent/agent.ts';
import type { AgentService } from '../../../agent/agent.ts';
import { Code, createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, JobView } from '../../../sdk/client/index.ts';
import { agentConfig, quietLog } from '../agent/support/agent-config.ts';
import { ECHO, ScriptedHost } from '../agent/support/scripted-host.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
const coordinators: TestCoordinator[] = [];
/** Speaks to the first; agents are connected to the second unless a test says otherwise. */
let client: DibsClient;

beforeAll(async () => {
  // What is told by the bus comes long before the poll.
  const times = { pollMs: 60_000, dueMs: 20, retryBackoffMs: 3_600_000, retryBackoffMaxMs: 3_600_000 };
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

const addressOf = (at: number): string => coordinators[at]?.address ?? '';

async function connect(options: Omit<RawAgentOptions, 'address'>, at = 1): Promise<RawAgent> {
  const agent = new RawAgent({ address: addressOf(at), ...options });
  onTestFinished(() => agent.close());
  await agent.welcomed;
  return agent;
}

async function startAgent(name: string): Promise<{ agent: AgentService; id: string; host: ScriptedHost }> {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-agent-'));
  const host = new ScriptedHost([{ ...ECHO, type: name }]);
  const config = agentConfig(folder, [addressOf(1)], { name });
  const agent = createAgent({ config, log: quietLog, createHost: () => host, random: () => 0 });
  await agent.start();
  onTestFinished(async () => {
    agent.force('the test is over');
    await agent.ended;
    await rm(folder, { recursive: true, force: true });
  });
  const { id } = await until('it to be listed', () => named(name));
  return { agent, id, host };
}

async function named(name: string): Promise<{ id: string } | undefined> {
  for await (const agent of client.agents())
    if (agent.name === name && agent.status === 'connected') return agent;
  return undefined;
}

const submit = async (type: string, more: object = {}): Promise<string> =>
  (await client.submit({ steps: [{ type, input: {}, ...more }] })).workflow.id;

const jobsOf = async (id: string): Promise<readonly JobView[]> =>
  (await client.get(id, { includeJobs: true })).steps[0]?.jobs ?? [];

describe('an agent', () => {
  test('is paused and resumed wherever it is connected, and its owner’s pause is another', async () => {
    const { agent, id, host } = await startAgent('pausable');
    expect(await client.controlAgent(id, 'pause', { note: 'new fan' })).toMatchObject({
      status: 'paused',
      pause: { by: 'operator', note: 'new fan', since: expect.any(Date) },
    });
    await until('the agent to hear of it', () => agent.status().state === 'paused');
    const workflow = await submit('pausable');
    host.onRun = (job) => job.succeed('1');
    await client.controlAgent(id, 'pause', { note: 'still' });
    expect(await client.get(workflow)).toMatchObject({ status: 'unassigned' });
    await client.controlAgent(id, 'resume');
    expect(await client.wait(workflow)).toMatchObject({ status: 'succeeded' });
    expect(await client.getAgent(id)).toMatchObject({ status: 'connected', pause: null });

    agent.pause(true);
    await client.controlAgent(id, 'pause');
    await client.controlAgent(id, 'resume');
    await client.controlAgent(id, 'quarantine');
    await client.controlAgent(id, 'release');
    expect(agent.status().state).toBe('paused');
    agent.pause(false);
    expect(await client.wait(await submit('pausable'))).toMatchObject({ status: 'succeeded' });
  });

  test('drains, finishes what it runs and is gone', async () => {
    const { agent, id, host } = await startAgent('leaver');
    const started = Promise.withResolvers<() => void>();
    host.onRun = (job) => started.resolve(() => job.succeed('1'));
    const workflow = await submit('leaver');
    const finish = await started.promise;
    await client.controlAgent(id, 'drain', { note: 'the box is moved' });
    await until('it to drain', async () => (await client.getAgent(id)).status === 'draining');
    finish();
    expect(await client.wait(workflow)).toMatchObject({ status: 'succeeded' });
    expect((await agent.ended).exitCode).toBe(0);
    await until('it to be forgotten', () =>
      client.getAgent(id).then(
        () => false,
        (error: unknown) => (error as { code: number }).code === Code.NOT_FOUND,
      ),
    );
  });

  test('that comes back finds its pause; one in quarantine gets nothing until it is released', async () => {
    const options = { id: 'twice', types: ['twice'], answer: () => ({ output: 1 }) };
    const first = await connect(options);
    await client.controlAgent('twice', 'pause', { note: 'dust' });
    await until('the word', () => first.controls.length > 0);
    expect(first.controls).toEqual([{ action: 'pause', note: 'dust' }]);
    first.close();
    const second = await connect(options, 0);
    await until('the word again', () => second.controls.length > 0);
    const workflow = await submit('twice');
    await client.controlAgent('twice', 'quarantine', { note: 'wrong colours' });
    await client.controlAgent('twice', 'resume');
    await until('the end of the pause', () => second.controls.length > 1);
    expect(await client.getAgent('twice')).toMatchObject({
      status: 'quarantined',
      quarantine: { by: 'operator', reason: 'wrong colours', until: null, times: 0 },
    });
    expect(await client.get(workflow)).toMatchObject({ status: 'unassigned' });
    expect(second.offers).toEqual([]);
    expect(await client.controlAgent('twice', 'release')).toMatchObject({
      status: 'connected',
      quarantine: null,
    });
    expect(await client.wait(workflow)).toMatchObject({ status: 'succeeded' });
  });

  test('that is not known, or not so, is refused', async () => {
    await connect({ id: 'plain', types: ['plain'], answer: () => undefined });
    await expect(client.getAgent('nobody')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    await expect(client.controlAgent('nobody', 'pause')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    for (const action of ['resume', 'release'] as const)
      await expect(client.controlAgent('plain', action)).rejects.toMatchObject({
        code: Code.FAILED_PRECONDITION,
      });
  });
});

describe('a queue', () => {
  test('gives nothing while it or its type is paused, at every coordinator, and all of it afterwards', async () => {
    for (const [name, needs] of [
      ['paused.alone', {}],
      ['paused.type', { requirement: { labels: { zone: 'a' } } }],
    ] as const) {
      const agents = await Promise.all(
        [0, 1].map((at) =>
          connect({ types: [name], labels: { zone: 'a' }, answer: () => ({ output: 1 }) }, at),
        ),
      );
      expect(await client.wait(await submit(name, needs))).toMatchObject({ status: 'succeeded' });
      const pause = await client.pauseQueue(name, { note: 'bad model' });
      expect(pause).toMatchObject({ by: 'operator', note: 'bad model' });
      const queue = await until('its queue', async () => {
        for await (const one of client.queues()) if (one.type === name) return one;
        return undefined;
      });
      expect(queue.pause).toEqual(pause);
      expect(await client.getQueue(queue.name)).toMatchObject({ pause });
      // The word is out once another that came behind it has arrived.
      const marker = await connect({ id: `marker-${name}`, types: ['m'], answer: () => undefined });
      await client.controlAgent(marker.id, 'pause');
      await until('the marker', () => marker.controls.length);
      const offers = (): number => agents.reduce((sum, agent) => sum + agent.offers.length, 0);
      const before = offers();
      const waiting = await Promise.all(Array.from({ length: 8 }, () => submit(name, needs)));
      for (const agent of agents) agent.grant();
      await client.controlAgent(marker.id, 'resume');
      await until('the marker', () => marker.controls.length === 2);
      expect(offers()).toBe(before);
      expect((await client.getQueue(queue.name)).waiting).toBe(8);
      await client.resumeQueue(name);
      for (const id of waiting) expect(await client.wait(id)).toMatchObject({ status: 'succeeded' });
      await expect(client.resumeQueue(name)).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    }
  });

  test('that nobody knows is not found', async () => {
    for (const call of [client.getQueue, client.pauseQueue, client.resumeQueue])
      await expect(call('?')).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });
});

describe('a job', () => {
  test('is taken from its agent, which is told, and given to whoever is next; nothing is counted', async () => {
    const holder = await connect({ id: 'holder', types: ['move'], credits: 1, answer: () => undefined });
    const workflow = await submit('move');
    const offer = await until('the offer', () => holder.offers[0]);
    holder.grant(0);
    holder.send({ accepted: [{ jobId: offer.jobId, token: offer.token }] });
    await client.controlAgent('holder', 'pause');
    await connect({ id: 'next', types: ['move'], answer: () => ({ output: 2 }) }, 0);
    expect(['scheduled', 'processing']).toContain(await client.requeueJob(offer.jobId, { note: 'too slow' }));
    await until('its agent to be told', () => holder.cancels.length);
    expect(holder.cancels[0]).toMatchObject({ jobId: offer.jobId, token: offer.token, reason: 'lease_lost' });
    expect(await client.wait(workflow)).toMatchObject({ status: 'succeeded' });
    const [job] = await jobsOf(workflow);
    expect(job).toMatchObject({ attempt: 1, recoveries: 0, agentId: 'next' });
    expect(job?.history[0]).toMatchObject({ agentId: 'holder', end: 'released', reason: 'REQUEUED' });
    await expect(client.requeueJob(offer.jobId)).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
  });

  test('that runs is stopped on its agent, which may get it again', async () => {
    const { host } = await startAgent('runner');
    host.onRun = (job) => job.hooks.started();
    const workflow = await submit('runner');
    const first = await until('the job to run', () => host.jobs[0]);
    host.onRun = (job) => job.succeed('2');
    await until('its start to be known', async () => (await jobsOf(workflow))[0]?.status === 'processing');
    expect(await client.requeueJob(first.request.jobId)).toBe('processing');
    await until('it to be told to stop', () => first.canceled.length);
    first.end({ verdict: 'canceled', reason: 'LEASE_LOST' });
    expect(await client.wait(workflow)).toMatchObject({ status: 'succeeded', steps: [{ output: 2 }] });
    expect(host.jobs.map(({ request }) => request.jobId)).toEqual(Array(2).fill(first.request.jobId));
  });

  test('that waits goes to the front or to the back; one in a backoff is queued at once', async () => {
    const order: string[] = [];
    const answer: RawAgentOptions['answer'] = (offer) => {
      order.push(offer.workflowId);
      return offer.type === 'flaky' && offer.attempt === 1
        ? { fail: 'HICCUP', retryable: true }
        : { output: 1 };
    };
    const agent = await connect({ types: ['line', 'flaky'], credits: 0, answer });
    const ids = [await submit('line'), await submit('line'), await submit('line')] as const;
    const [first, , third] = await Promise.all(ids.map(async (id) => (await jobsOf(id))[0]?.id ?? ''));
    expect(await client.requeueJob(third ?? '')).toBe('unassigned');
    expect(await client.requeueJob(first ?? '', { toBack: true })).toBe('unassigned');
    agent.grant(1);
    for (const id of ids) expect(await client.wait(id)).toMatchObject({ status: 'succeeded' });
    expect(order.at(-1)).toBe(ids[0]);

    const flaky = await submit('flaky', { retries: 1 });
    const retry = await until('the backoff', async () => (await jobsOf(flaky))[1]);
    expect(await client.requeueJob(retry.id)).toBe('unassigned');
    expect(await client.wait(flaky)).toMatchObject({ status: 'succeeded' });
  });

  test('that is none is not found', async () => {
    for (const id of ['job_x', `job_00${'0'.repeat(24)}-0-0`, `job_zz${'0'.repeat(24)}-0-0`])
      await expect(client.requeueJob(id)).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });
});
