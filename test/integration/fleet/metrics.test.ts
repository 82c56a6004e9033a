/** What Prometheus scrapes of a real coordinator: clean by the lint, right in its counts, and gone with what it was about. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { lint, parseExposition } from '../../support/prometheus-lint.ts';
import type { Family } from '../../support/prometheus-lint.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let one: TestCoordinator;
let client: DibsClient;
let agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url, {
    times: { pollMs: 20, heartbeatMs: 500 },
    tokens: ['secret'],
    http: { host: '127.0.0.1', port: 0 },
  });
  client = createClient({ address: one.address, token: 'secret' });
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
  const made = new RawAgent({ address: one.address, token: 'secret', ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${one.coordinator.httpAddress}${path}`, {
    headers: { authorization: 'Bearer secret' },
    ...init,
  });
}

async function scrape(): Promise<ReadonlyMap<string, Family>> {
  const text = await (await ask('/metrics')).text();
  expect(lint(text)).toEqual([]);
  return parseExposition(text).families;
}

function sum(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  let total = 0;
  for (const family of families.values())
    for (const sample of family.samples)
      if (
        sample.name === name &&
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
      )
        total += sample.value;
  return total;
}

const agentsIn = (families: ReadonlyMap<string, Family>): string[] =>
  (families.get('dibs_agent_heartbeat_age_seconds')?.samples ?? [])
    .map(({ labels }) => labels['agent'] ?? '')
    .toSorted();

test('counts add up, under load and after it', async () => {
  const before = await scrape();
  const agent = await connect({
    types: ['counted'],
    answer: ({ inputJson }) => (inputJson === '"fail"' ? { fail: 'OUT_OF_MEMORY' } : { output: null }),
  });
  const { workflow } = await client.submit({
    steps: [{ type: 'counted', forEach: { items: 9 }, input: {} }],
  });
  const failing = await client.submit({ steps: [{ type: 'counted', input: 'fail' }] });
  const many = Array.from({ length: 40 }, (_, index) => ({
    requestId: `one-${index}`,
    workflow: { steps: [{ type: 'counted', input: {} }] },
  }));
  for await (const _outcome of client.submitMany(many, { results: true }));
  for (const id of [workflow.id, failing.workflow.id]) await client.wait(id);
  expect(agent.acks).toHaveLength(50);
  const after = await until('the last one looked at', async () => {
    const found = await scrape();
    const runs = sum(found, 'dibs_job_run_seconds_count');
    return runs === 50 ? found : undefined;
  });
  const grew = (name: string, labels?: Record<string, string>): number =>
    sum(after, name, labels) - sum(before, name, labels);
  expect(grew('dibs_jobs_submitted_total')).toBe(50);
  expect(grew('dibs_jobs_finished_total', { outcome: 'succeeded' })).toBe(49);
  expect(grew('dibs_jobs_finished_total', { outcome: 'failed', reason: 'OUT_OF_MEMORY' })).toBe(1);
  expect(grew('dibs_job_wait_seconds_count', { type: 'counted' })).toBe(50);
  expect(grew('dibs_claims_total')).toBeGreaterThan(0);
  expect(sum(after, 'dibs_redis_up')).toBe(1);
  expect(sum(after, 'dibs_redis_command_seconds_count', { script: 'claim' })).toBeGreaterThan(0);
});

test('what waits and what nobody can run', async () => {
  await client.submit({
    allowUnknownTypes: true,
    steps: [{ type: 'gauged', forEach: { items: 7 }, input: {} }],
  });
  const waiting = await until('the queue', async () => {
    const found = await scrape();
    return sum(found, 'dibs_queue_jobs', { capability: 'gauged', state: 'waiting' }) === 7
      ? found
      : undefined;
  });
  expect(sum(waiting, 'dibs_jobs_unrunnable')).toBe(7);
  expect(sum(waiting, 'dibs_queue_eligible_agents', { capability: 'gauged' })).toBe(0);
  await connect({ types: ['gauged'], credits: 2, answer: () => undefined });
  await until('two running', async () => {
    const found = await scrape();
    return (
      sum(found, 'dibs_queue_jobs', { capability: 'gauged', state: 'running' }) === 2 &&
      sum(found, 'dibs_jobs_unrunnable') === 0 &&
      sum(found, 'dibs_agent_slots', { state: 'busy' }) === 2
    );
  });
});

test("two agents, one killed: its series vanish, the other's stay", async () => {
  const left = await connect({ id: 'left', types: ['seen'], answer: () => undefined });
  const right = await connect({ id: 'right', types: ['seen'], answer: () => undefined });
  const throughput = [{ type: 'seen', costPerSecond: 2, samples: 5 }];
  for (const agent of [left, right]) agent.send({ heartbeat: { held: [], throughput } });
  await until('both', async () => {
    const found = await scrape();
    return (
      agentsIn(found).join() === 'left,right' &&
      sum(found, 'dibs_agent_throughput_cost_per_second', { type: 'seen' }) === 4
    );
  });
  left.close();
  const found = await until('one', async () => {
    const families = await scrape();
    return agentsIn(families).join() === 'right' ? families : undefined;
  });
  expect(sum(found, 'dibs_agent_throughput_cost_per_second')).toBe(2);
  expect(sum(found, 'dibs_agents', { state: 'lost' })).toBeGreaterThanOrEqual(1);
});

test('the doors: a token for metrics, none for the checks; nothing else is there', async () => {
  const plain = { headers: {} };
  expect((await ask('/metrics', plain)).status).toBe(401);
  expect((await ask('/metrics', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
  expect((await ask('/healthz', plain)).status).toBe(200);
  expect((await ask('/readyz', plain)).status).toBe(200);
  expect((await ask('/nothing', plain)).status).toBe(404);
  expect((await ask('/metrics', { method: 'POST' })).status).toBe(405);
  expect((await ask('/metrics')).headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
});

test('the page of metrics, the dashboard and the alerts name what there is', async () => {
  const names = new Set((await scrape()).keys());
  const page = readFileSync(new URL('../../../docs/08-metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(dibs_\w+)/gm)].map(([, name]) => name as string);
  expect(documented.toSorted()).toEqual([...names].toSorted());
  for (const file of ['deploy/grafana/dibs.json', 'deploy/prometheus/alerts.yaml']) {
    const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
    const used = [...text.matchAll(/dibs_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
    expect(used.length).toBeGreaterThan(5);
    for (const name of used) expect(names, `${file} uses ${name}`).toContain(name);
  }
});

test('an address that is taken is named, with the setting', async () => {
  const [host = '', port] = one.coordinator.httpAddress.split(':');
  const second = startCoordinator(redis().url, { http: { host, port: Number(port) } });
  await expect(second).rejects.toThrow(/http-listen: .* is taken/);
});
