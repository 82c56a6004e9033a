/** The time an attempt may take runs whichever session, and whichever word, tells of its start. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { AgentMessage__Output, State__Output } from '../../../proto/gen/index.ts';
import type { Plain } from '../../../proto/gen/load.ts';
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

beforeAll(async () => {
  one = await startCoordinator(redis().url, { times: { dueMs: 50 } });
  client = createClient({ address: one.address });
});
afterAll(async () => {
  client?.[Symbol.dispose]();
  await one?.stop();
});

async function connect(options: Partial<RawAgentOptions>): Promise<RawAgent> {
  const agent = new RawAgent({
    address: one.address,
    id: 'agent',
    types: ['x'],
    answer: () => undefined,
    ...options,
  });
  onTestFinished(() => agent.close());
  await agent.welcomed;
  return agent;
}

test.each([
  ['a later session says that it began', State.scheduled, true],
  ['the word that it began was lost, the next hello names it as running', State.processing, false],
])('%s', async (_, state, says) => {
  const before = await connect({});
  const { workflow } = await client.submit({ steps: [{ type: 'x', input: {}, timeout: '300ms' }] });
  const { jobId, token } = await until('the offer', () => before.offers[0]);
  before.send({ accepted: [{ jobId, token }] });
  before.close();
  const held = [{ jobId, token, state: state as State__Output }];
  const after = await connect({ credits: 0, hello: { held } });
  const started: Plain<AgentMessage__Output> = { started: [{ jobId, token }] };
  if (says) after.send(started);
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'expired' });
  const { steps } = await client.get(workflow.id, { includeJobs: true });
  expect(steps[0]?.jobs[0]).toMatchObject({
    status: 'expired',
    reason: 'DEADLINE_EXCEEDED_RUNNING',
    attempt: 1,
  });
  await until('the order to stop', () => after.cancels[0]);
  expect(after.cancels[0]).toMatchObject({ jobId, token, reason: 'deadline' });
});
