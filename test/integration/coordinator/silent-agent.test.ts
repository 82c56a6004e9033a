/** An agent that says nothing to its offers is offered nothing more until it speaks. */
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
let one: TestCoordinator;
let client: DibsClient;

beforeAll(async () => {
  one = await startCoordinator(redis().url, { times: { offerMs: 3000, dueMs: 50, pollMs: 20 } });
  client = createClient({ address: one.address });
});
afterAll(async () => {
  client?.[Symbol.dispose]();
  await one?.stop();
});

async function connect(answer: RawAgentOptions['answer'], credits = 8): Promise<RawAgent> {
  const agent = new RawAgent({ address: one.address, types: ['x'], answer, credits });
  onTestFinished(() => agent.close());
  await agent.welcomed;
  return agent;
}

test('a lapsed job waits for somebody else, and comes back once the agent has spoken', async () => {
  const silent = await connect(() => undefined);
  // Asks for work only once it is needed: by then no time may go by.
  const helper = await connect(() => ({ output: 1 }), 0);
  const submit = async (): Promise<string> =>
    (await client.submit({ steps: [{ type: 'x', input: {} }] })).workflow.id;
  const first = await submit();
  await until('the offer', () => silent.offers.length);
  // Heartbeats are no answer: they come from beside the rest of an agent.
  silent.send({ heartbeat: { held: [] } });
  await until('its lapse', async () => {
    const { steps } = await client.get(first, { includeJobs: true });
    return steps[0]?.jobs[0]?.history[0]?.end === 'offer_lapsed';
  });
  helper.grant(8);
  const second = await submit();
  for (const id of [first, second]) expect(await client.wait(id)).toMatchObject({ status: 'succeeded' });
  expect([silent.offers.length, helper.offers.length]).toEqual([1, 2]);

  helper.close();
  await submit();
  silent.grant();
  await until('a further offer', () => silent.offers.length === 2);
});
