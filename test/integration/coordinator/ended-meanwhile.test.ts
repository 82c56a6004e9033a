/** Jobs that end without their agent, while it is away or says nothing: it is told to stop, and nothing else is touched. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { State } from '../../../sdk/common/states.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
let one: TestCoordinator;
let client: DibsClient;
const agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url, {
    times: {
      leaseMs: 1000,
      offerMs: 500,
      dueMs: 100,
      sweepMs: 200,
      sweepSlackMs: 300,
      heartbeatMs: 300,
      maxRecoveries: 0,
    },
  });
});
afterAll(() => one?.stop());
beforeEach(() => {
  client = createClient({ address: one.address });
});
afterEach(() => {
  for (const agent of agents.splice(0)) agent.close();
  client.close();
});

async function welcomed(options: Partial<RawAgentOptions>): Promise<RawAgent> {
  const made = new RawAgent({ address: one.address, types: ['x'], answer: () => undefined, ...options });
  agents.push(made);
  await made.welcomed;
  return made;
}

/** An agent that holds the one job of a new workflow, and has begun it. */
async function holder(type: string) {
  const agent = await welcomed({ types: [type], credits: 1 });
  const { workflow } = await client.submit({ steps: [{ type, input: {} }] });
  const { jobId, token } = await until('an offer', () => agent.offers[0]);
  agent.send({ started: [{ jobId, token }] });
  await until('the start', async () => (await client.get(workflow.id)).status === 'processing');
  return { agent, held: { jobId, token }, id: workflow.id };
}

test('canceled while its agent was away: the hello that names it as running is told that it is lost', async () => {
  const { agent, held, id } = await holder('away');
  agent.close();
  await until('the agent to be gone', async () => {
    for await (const { id: known, status } of client.agents())
      if (known === agent.id) return status === 'lost';
    return false;
  });
  await client.cancel(id);
  const back = await welcomed({ id: agent.id, types: ['away'], held: [held] });
  expect(await back.welcomed).toMatchObject({ confirmedJobIds: [], lostJobIds: [held.jobId] });
});

test('failed for its silence: the heartbeat that names it as running is answered with a cancel', async () => {
  const { agent, held, id } = await holder('silent');
  const ended = await client.wait(id);
  expect(ended.steps[0]).toMatchObject({ reason: 'RECOVERY_EXHAUSTED' });
  agent.send({ heartbeat: { held: [{ ...held, state: State.processing }] } });
  await until('the cancel', () => agent.cancels.length > 0);
  expect(agent.cancels).toMatchObject([{ ...held, reason: 'lease_lost' }]);
});

test('ended by its own agent: a hello and heartbeats that still name the result cancel nothing', async () => {
  const { agent, held, id } = await holder('done');
  const offer = agent.offers[0];
  if (offer === undefined) throw new Error('no offer');
  agent.complete(offer, { output: 1 });
  await client.wait(id);
  const result = { ...held, state: State.succeeded };
  agent.send({ heartbeat: { held: [result] } });
  const back = await welcomed({ id: agent.id, types: ['done'], credits: 1, hello: { held: [result] } });
  expect(await back.welcomed).toMatchObject({ confirmedJobIds: [held.jobId], lostJobIds: [] });
  back.send({ heartbeat: { held: [result] } });
  back.complete(offer, { output: 1 });
  await until('the ack', () => back.acks.length > 0);
  expect(back.acks).toMatchObject([{ ...held, refused: '' }]);
  expect([...agent.cancels, ...back.cancels]).toEqual([]);
});
