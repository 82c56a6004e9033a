/** Workflows through a real coordinator and a real Redis, with agents of the test's own making. */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, LogEvent } from '../../../sdk/client/index.ts';
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
let agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url);
  two = await startCoordinator(redis().url);
});
afterAll(async () => {
  await Promise.all([one?.stop(), two?.stop()]);
});
beforeEach(() => {
  client = createClient({ address: one.address });
});
afterEach(() => {
  for (const agent of agents) agent.close();
  agents = [];
  client[Symbol.dispose]();
});

async function agent(options: Omit<RawAgentOptions, 'address'> & { address?: string }): Promise<RawAgent> {
  const made = new RawAgent({ address: one.address, ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

describe('a workflow', () => {
  test('of one step comes back with its output', async () => {
    await agent({ types: ['echo'], answer: (offer) => ({ output: JSON.parse(offer.inputJson) }) });
    const output = await client.submitAndGetOutput({ steps: [{ type: 'echo', input: { a: [1, 'ü'] } }] });
    expect(output).toEqual({ a: [1, 'ü'] });
  });

  test('fans out over another coordinator’s agents and merges in order', async () => {
    await agent({
      types: ['double'],
      address: two.address,
      answer: (offer) => ({ output: { n: 2 * JSON.parse(offer.inputJson).n } }),
    });
    const output = await client.submitAndGetOutput({
      steps: [
        { type: 'double', name: 'wide', forEach: { items: 600 }, input: { n: { $ref: 'item' } } },
        { type: 'double', name: 'last', input: { n: { $ref: 'wide', path: 'output.items[599].n' } } },
      ],
    });
    expect(output).toEqual({ n: 2396 });
  });

  test('that fails says which step and why; the rest is skipped', async () => {
    await agent({
      types: ['bad', 'good'],
      answer: (offer) => (offer.type === 'bad' ? { fail: 'NO_PAPER' } : { output: {} }),
    });
    const { workflow } = await client.submit({
      steps: [
        { type: 'bad', name: 'a', input: {} },
        { type: 'good', name: 'b', dependsOn: ['a'], input: {} },
      ],
    });
    const ended = await client.wait(workflow.id);
    expect(ended).toMatchObject({ status: 'failed', failedStep: 'a' });
    expect(ended.steps.map((step) => [step.status, step.reason])).toEqual([
      ['failed', 'NO_PAPER'],
      ['skipped', 'DEPENDENCY_FAILED'],
    ]);
  });

  test('whose content was blocked says why on its job', async () => {
    const censor = await agent({ types: ['draw'], answer: () => undefined });
    const { workflow } = await client.submit({ steps: [{ type: 'draw', input: {} }] });
    const offer = await until('the offer', () => censor.offers[0]);
    const { jobId, token } = offer;
    censor.send({
      completed: [{ jobId, token, verdict: 3, outcome: { reason: 'BLOCKED' }, blockedReason: 'a likeness' }],
    });
    await client.wait(workflow.id);
    const { steps } = await client.get(workflow.id, { includeJobs: true });
    expect(steps[0]?.jobs[0]).toMatchObject({
      status: 'failed',
      reason: 'BLOCKED',
      blockedReason: 'a likeness',
    });
  });

  test('with a retry runs again under a new attempt', async () => {
    const attempts: number[] = [];
    await agent({
      types: ['flaky'],
      answer: (offer) => {
        attempts.push(offer.attempt);
        return offer.attempt === 1 ? { fail: 'HICCUP', retryable: true } : { output: offer.attempt };
      },
    });
    const output = await client.submitAndGetOutput({ steps: [{ type: 'flaky', input: {}, retries: 1 }] });
    expect(output).toBe(2);
    expect(attempts).toEqual([1, 2]);
  });

  test('can be canceled: the running attempt is told, finished steps keep their output', async () => {
    const running = await agent({
      types: ['first', 'endless'],
      answer: (offer) => (offer.type === 'first' ? { output: 1 } : undefined),
    });
    const offered = once(running, 'offer').then(() => once(running, 'offer'));
    const { workflow } = await client.submit({
      steps: [
        { type: 'first', name: 'a', input: {} },
        { type: 'endless', name: 'b', dependsOn: ['a'], input: {} },
        { type: 'first', name: 'c', dependsOn: ['b'], input: {} },
      ],
    });
    await offered;
    const told = once(running, 'cancel');
    const canceled = await client.cancel(workflow.id, { message: 'no longer needed' });
    expect(canceled).toMatchObject({
      status: 'canceled',
      reason: 'CANCELED_BY_USER',
      message: 'no longer needed',
    });
    const [order] = await told;
    expect(order).toMatchObject({ jobId: running.offers[1]?.jobId, reason: 'user' });
    expect(canceled.steps.map((step) => step.status)).toEqual(['succeeded', 'canceled', 'canceled']);
    // A result that comes all the same changes nothing.
    running.complete(running.offers[1] as (typeof running.offers)[number], { output: 'late' });
    await until('the late result to be answered', () => running.acks.length > 1);
    expect((await client.get(workflow.id)).status).toBe('canceled');
  });
});

describe('an executor that asks for further jobs', () => {
  test('gets them run in its own step; a repeated batch counts once; the step ends with all outputs', async () => {
    const splitter = await agent({
      types: ['split'],
      answer: (offer) => {
        const input = JSON.parse(offer.inputJson) as { part?: number };
        if (input.part !== undefined) return { output: { part: input.part } };
        const batch = {
          jobId: offer.jobId,
          token: offer.token,
          batch: 1,
          inputsJson: ['{"part":1}', '{"part":2}'],
        };
        splitter.send({ emitted: [batch] });
        splitter.send({ emitted: [batch] });
        return { output: { whole: true } };
      },
    });
    const output = await client.submitAndGetOutput({ steps: [{ type: 'split', input: {} }] });
    expect(output).toEqual({ items: [{ whole: true }, { part: 1 }, { part: 2 }] });
    expect(splitter.offers).toHaveLength(3);
  });
});

describe('requests', () => {
  test('the same request id twice is one workflow; another body is refused', async () => {
    await agent({ types: ['idle'], answer: () => undefined });
    const body = { name: 'same', steps: [{ type: 'idle', input: { x: 1 } }] };
    const first = await client.submit(body, { requestId: 'order-7' });
    const again = await client.submit(body, { requestId: 'order-7' });
    expect(again.workflow.id).toBe(first.workflow.id);
    expect(again.duplicate).toBe(true);
    await expect(client.submit({ ...body, name: 'other' }, { requestId: 'order-7' })).rejects.toMatchObject({
      reason: 'IDEMPOTENCY_KEY_REUSED',
    });
    const listed = [];
    for await (const workflow of client.list({ filter: 'name=same' })) listed.push(workflow.id);
    expect(listed).toEqual([first.workflow.id]);
  });

  test('a stream tells of every workflow and its end, repeated items included', async () => {
    await agent({ types: ['echo'], answer: (offer) => ({ output: JSON.parse(offer.inputJson) }) });
    const items = Array.from({ length: 300 }, (_, i) => ({
      requestId: `stream-${i}`,
      workflow: { steps: [{ type: 'echo', input: { i } }] },
    }));
    for (const round of ['first', 'repeated']) {
      const outputs = new Map<string, unknown>();
      for await (const outcome of client.submitMany(items, { results: true })) {
        if (outcome.kind === 'ended') outputs.set(outcome.requestId, outcome.result.steps[0]?.output);
      }
      expect([round, outputs.size]).toEqual([round, 300]);
      expect(outputs.get('stream-299')).toEqual({ i: 299 });
    }
  });
});

describe('a watch', () => {
  test('of the whole life is gap-free, ends with the terminal event, and resumes after a cursor', async () => {
    await agent({ types: ['echo'], address: two.address, answer: () => ({ output: 'x'.repeat(100) }) });
    const { workflow } = await client.submit({
      state: { ticket: 7 },
      steps: [{ type: 'echo', name: 'wide', forEach: { items: 40 }, input: {} }],
    });
    const events: LogEvent[] = [];
    for await (const event of client.watch(workflow.id)) if (event.type !== 'resync') events.push(event);
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
    expect(events[0]).toMatchObject({ type: 'workflow.created' });
    expect(events.at(-1)).toMatchObject({ type: 'workflow.succeeded' });
    expect(events.filter((event) => event.type === 'job.succeeded')).toHaveLength(40);
    const middle = events[60];
    const rest: LogEvent[] = [];
    for await (const event of client.watch(workflow.id, { afterCursor: middle?.cursor ?? '' })) {
      if (event.type !== 'resync') rest.push(event);
    }
    expect(rest.map((event) => event.sequence)).toEqual(events.slice(61).map((event) => event.sequence));
  });
});

describe('a coordinator that leaves', () => {
  test('sends its agents and watchers elsewhere; nothing is lost', async () => {
    const three = await startCoordinator(redis().url);
    const slow = await agent({
      types: ['lasting'],
      address: three.address,
      credits: 1,
      answer: () => undefined,
    });
    using follower = createClient({ address: `${three.address},${one.address}` });
    const { workflow } = await follower.submit({ steps: [{ type: 'lasting', input: {} }] });
    const events: LogEvent[] = [];
    const seen = new Promise<void>((resolve, reject) => {
      void (async () => {
        for await (const event of follower.watch(workflow.id))
          if (event.type !== 'resync') events.push(event);
      })().then(resolve, reject);
    });
    const offer = await until('the offer', () => slow.offers[0]);
    const ended = once(slow, 'end');
    await three.stop();
    await ended;
    const again = await agent({
      id: slow.id,
      types: ['lasting'],
      held: [{ jobId: offer.jobId, token: offer.token }],
      answer: () => undefined,
    });
    again.complete(offer, { output: 'kept' });
    await seen;
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
    expect(events.at(-1)?.type).toBe('workflow.succeeded');
  });
});

describe('agents', () => {
  test('only those that can run a job get it', async () => {
    const plain = await agent({ types: ['paint'], answer: () => ({ output: 'plain' }) });
    const { workflow } = await client.submit({
      steps: [{ type: 'paint', input: {}, requirement: { labels: { colour: 'red' } } }],
    });
    const red = await agent({
      types: ['paint'],
      labels: { colour: 'red' },
      address: two.address,
      answer: () => ({ output: 'red' }),
    });
    const ended = await client.wait(workflow.id);
    expect(ended.steps[0]?.output).toBe('red');
    expect(plain.offers).toEqual([]);
    expect(red.offers).toHaveLength(1);
  });

  test('that reconnect elsewhere keep their jobs, and others’ tokens are refused', async () => {
    const before = await agent({ types: ['slow'], answer: () => undefined });
    const { workflow } = await client.submit({ steps: [{ type: 'slow', input: {} }] });
    const offer = await until('an offer', () => before.offers[0]);
    before.close();
    const after = await agent({
      id: before.id,
      types: ['slow'],
      address: two.address,
      answer: () => undefined,
      held: [
        { jobId: offer.jobId, token: offer.token },
        { jobId: offer.jobId.replace(/-0$/, '-7'), token: 'x' },
      ],
    });
    const welcome = await after.welcomed;
    expect(welcome.confirmedJobIds).toEqual([offer.jobId]);
    expect(welcome.lostJobIds).toHaveLength(1);
    after.complete({ ...offer, token: 'forged' }, { output: 'forged' });
    after.complete(offer, { output: 'mine' });
    await until('both answers', () => after.acks.length === 2);
    expect(after.acks.map((ack) => ack.refused).toSorted()).toEqual(['', 'LEASE_LOST']);
    expect((await client.wait(workflow.id)).steps[0]?.output).toBe('mine');
  });
});
