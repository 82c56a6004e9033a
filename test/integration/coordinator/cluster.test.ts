/** Two coordinators on a real Redis Cluster of three masters: six cells. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, LogEvent } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedisCluster } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const cluster = useRedisCluster();
let one: TestCoordinator;
let two: TestCoordinator;
let client: DibsClient;
const agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(cluster().url);
  two = await startCoordinator(cluster().url);
  client = createClient({ address: one.address });
  for (const { address } of [one, two, two]) {
    agents.push(
      new RawAgent({
        address,
        types: ['echo'],
        credits: 8,
        answer: (offer) => ({ output: JSON.parse(offer.inputJson) }),
      }),
    );
  }
  await Promise.all(agents.map((agent) => agent.welcomed));
});
afterAll(async () => {
  for (const agent of agents) agent.close();
  client?.[Symbol.dispose]();
  await Promise.all([one?.stop(), two?.stop()]);
});

test('workflows spread over all cells, every one ends, and each job is offered once', async () => {
  const items = Array.from({ length: 400 }, (_, i) => ({
    requestId: `many-${i}`,
    workflow: { name: 'many', steps: [{ type: 'echo', input: { i } }] },
  }));
  const ended = new Map<number, unknown>();
  const cells = new Set<string>();
  for await (const outcome of client.submitMany(items, { results: true })) {
    if (outcome.kind !== 'ended') throw new Error(JSON.stringify(outcome));
    ended.set(outcome.index, outcome.result.steps[0]?.output);
    cells.add(outcome.workflowId.slice(3, 5));
  }
  expect(ended.size).toBe(400);
  for (const [index, output] of ended) expect(output).toEqual({ i: index });
  expect([...cells].toSorted()).toEqual(['00', '01', '02', '03', '04', '05']);
  const offered = agents.flatMap((agent) => agent.offers.map((offer) => offer.jobId));
  expect(new Set(offered).size).toBe(offered.length);
  expect(agents.every((agent) => agent.offers.length > 0)).toBe(true);
  const listed = new Set<string>();
  for await (const workflow of client.list({ filter: 'name=many', pageSize: 64 })) listed.add(workflow.id);
  expect(listed.size).toBe(400);
});

test('one workflow after the other is served in every cell', async () => {
  const cells = new Set<string>();
  for (let i = 0; i < 30; i++) {
    const { workflow } = await client.submit(
      { steps: [{ type: 'echo', input: { i } }] },
      { requestId: `single-${i}` },
    );
    const ended = await client.wait(workflow.id, { timeoutMs: 10_000 });
    expect(ended.status).toBe('succeeded');
    cells.add(workflow.id.slice(3, 5));
  }
  expect(cells.size).toBe(6);
});

test('a fan-out, its merge and its watch work across coordinators', async () => {
  using other = createClient({ address: two.address });
  const { workflow } = await client.submit({
    steps: [
      { type: 'echo', name: 'wide', forEach: { items: 500 }, input: { n: { $ref: 'item' } } },
      { type: 'echo', name: 'merge', input: { all: { $ref: 'wide', path: 'output.items' } } },
    ],
  });
  const events: LogEvent[] = [];
  for await (const event of other.watch(workflow.id)) if (event.type !== 'resync') events.push(event);
  expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
  expect(events.at(-1)?.type).toBe('workflow.succeeded');
  const ended = await other.wait(workflow.id);
  expect(ended.steps[1]?.output).toEqual({ all: Array.from({ length: 500 }, (_, n) => ({ n })) });
});

test('an operator’s word said to one coordinator reaches an agent at the other', async () => {
  const agent = agents[2] as RawAgent;
  await client.controlAgent(agent.id, 'pause', { note: 'dust' });
  await until('the word', () => agent.controls.length === 1);
  expect(agent.controls[0]).toEqual({ action: 'pause', note: 'dust' });
  await client.pauseQueue('echo');
  const { workflow } = await client.submit({ steps: [{ type: 'echo', input: 1 }] });
  await client.controlAgent(agent.id, 'resume');
  await until('the next word', () => agent.controls.length === 2);
  expect(await client.get(workflow.id)).toMatchObject({ status: 'unassigned' });
  const [job] = (await client.get(workflow.id, { includeJobs: true })).steps[0]?.jobs ?? [];
  expect(await client.requeueJob(job?.id ?? '')).toBe('unassigned');
  await client.resumeQueue('echo');
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });
});
