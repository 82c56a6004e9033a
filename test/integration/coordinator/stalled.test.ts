/** A job that stalls says what was last known of its process, and in the end who tried it. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, LogEvent } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let one: TestCoordinator;
let client: DibsClient;
let agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url, {
    times: {
      leaseMs: 1500,
      offerMs: 1500,
      dueMs: 200,
      heartbeatMs: 500,
      sweepMs: 100,
      sweepSlackMs: 900,
      maxRecoveries: 1,
      avoidMs: 0,
      pollMs: 50,
    },
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

test('busy at first, then unknown: both are said, and the end names both agents', async () => {
  const answer = (): undefined => undefined;
  const busy = new RawAgent({ address: one.address, id: 'busy', types: ['x'], credits: 1, answer });
  agents.push(busy);
  await busy.welcomed;
  const { workflow } = await client.submit({ steps: [{ type: 'x', input: {} }] });
  const { jobId, token } = await until('the offer', () => busy.offers[0]);
  const usage = { pid: 7, type: 'x', cpu: 0.9, memoryBytes: 1000, swapBytes: 10, jobId };
  const held = [{ jobId, token, state: 4 as const }];
  busy.send({ started: [{ jobId, token }], heartbeat: { held, telemetry: { processes: [usage] } } });
  // What its stream leaves behind when it breaks must not blot out what was known.
  await until('the heartbeat to be known', async () => {
    for await (const { id, cpuLoad } of client.agents()) if (id === 'busy') return cpuLoad !== null;
    return false;
  });
  busy.close();

  const silent = new RawAgent({ address: one.address, id: 'silent', types: ['x'], credits: 1, answer });
  agents.push(silent);
  const again = await until('the job to come back', () => silent.offers[0]);
  silent.send({ accepted: [{ jobId, token: again.token }] });

  const events: LogEvent[] = [];
  for await (const event of client.watch(workflow.id)) if (event.type !== 'resync') events.push(event);
  const stalls = events.filter(({ type }) => type === 'job.stalled');
  expect(stalls.map(({ agentId }) => agentId)).toEqual(['busy', 'silent']);
  expect(stalls[0]?.data).toMatchObject({ diagnosis: 'busy', cpu: 0.9, memoryBytes: 1000, swapBytes: 10 });
  expect(stalls[1]?.data).toEqual({ diagnosis: 'unknown', silentMs: expect.any(Number) });
  for (const { data } of stalls) expect((data as { silentMs: number }).silentMs).toBeGreaterThanOrEqual(1500);
  const failed = events.find(({ type }) => type === 'job.failed');
  expect(failed).toMatchObject({
    reason: 'RECOVERY_EXHAUSTED',
    message: 'It stalled 2 times; agents tried: busy,silent. Its process, when last seen: unknown.',
  });
  const { steps } = await client.get(workflow.id, { includeJobs: true });
  expect(steps[0]?.jobs[0]?.history.map(({ agentId, end }) => [agentId, end])).toEqual([
    ['busy', 'stalled'],
    ['silent', 'stalled'],
  ]);
});
