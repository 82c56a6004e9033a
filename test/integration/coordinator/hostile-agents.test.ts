/** Agents that lie, break the protocol or come at the wrong moment, and a store that fails under them. */
import type { Cluster, Redis } from 'ioredis';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import type { AgentRecord } from '../../../coordinator/agents/fleet.ts';
import { Greeter } from '../../../coordinator/agents/greeter.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { cellIndexOf, keys } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { AgentState, Verdict } from '../../../proto/gen/index.ts';
import type { Hello__Output, Offer__Output } from '../../../proto/gen/index.ts';
import type { Plain } from '../../../proto/gen/load.ts';
import { connectRedis } from '../../../runtime/redis/connect.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { Code } from '../../../sdk/common/errors.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import type { RawAgentOptions } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

/** A job of cell 5; there is one cell. */
const NOWHERE = { jobId: `job_05${'a'.repeat(24)}-0-0`, token: 'some-token' };

const redis = useRedis();
let one: TestCoordinator;
let db: Redis | Cluster;
let cells: readonly Cell[];
let client: DibsClient;
let agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url, {
    times: { leaseMs: 1000, offerMs: 500, dueMs: 100, sweepMs: 200, sweepSlackMs: 300, heartbeatMs: 500 },
  });
  db = await connectRedis({ target: redis().url, name: 'test' });
  cells = await openCells(db, { namespace: 'dibs', count: 0, masters: 1 });
});
afterAll(async () => {
  db?.disconnect();
  await one?.stop();
});
beforeEach(() => {
  client = createClient({ address: one.address });
});
afterEach(() => {
  for (const agent of agents) agent.close();
  agents = [];
  client[Symbol.dispose]();
});

function connect(options: Partial<RawAgentOptions>): RawAgent {
  const made = new RawAgent({ address: one.address, types: ['x'], answer: () => undefined, ...options });
  agents.push(made);
  return made;
}

async function welcomed(options: Partial<RawAgentOptions>): Promise<RawAgent> {
  const made = connect(options);
  await made.welcomed;
  return made;
}

/** An agent that holds the one job of a new workflow. */
async function holder(type: string): Promise<{ agent: RawAgent; offer: Offer__Output; id: string }> {
  const agent = await welcomed({ types: [type], credits: 1 });
  const { workflow } = await client.submit({ steps: [{ type, input: {} }] });
  const offer = await until('an offer', () => agent.offers[0]);
  const { jobId, token } = offer;
  agent.send({ accepted: [{ jobId, token }] });
  return { agent, offer, id: workflow.id };
}

function completion({ jobId, token }: { jobId: string; token: string }, outputJson = '1') {
  return { jobId, token, verdict: Verdict.VERDICT_SUCCEEDED, outputJson, runMs: 1 };
}

/** Makes the store fail for one workflow until the returned function is called. */
async function breakRecords(workflow: string): Promise<() => Promise<unknown>> {
  const wid = workflow.slice(3);
  const key = keys.bucket(cells[cellIndexOf(wid)] as Cell, wid);
  await db.multi().rename(key, `${key}:away`).set(key, 'not a hash').exec();
  return () => db.rename(`${key}:away`, key);
}

async function record(id: string): Promise<AgentRecord | undefined> {
  const text = await db.hget(keys.agents('dibs'), id);
  return text === null ? undefined : (JSON.parse(text) as AgentRecord);
}

async function ended(agent: RawAgent) {
  return until('the end of the session', () => agent.error);
}

/** It still does what agents do. */
async function works(agent: RawAgent, type: string): Promise<void> {
  const before = agent.offers.length;
  agent.grant();
  const { workflow } = await client.submit({ steps: [{ type, input: {} }] });
  const offer = await until('a further offer', () => agent.offers[before]);
  agent.complete(offer, { output: 2 });
  expect(await client.wait(workflow.id)).toMatchObject({ status: 'succeeded' });
}

describe('what the store could not take ends the session', () => {
  test('a completion: the agent comes back, sends it again, and it counts', async () => {
    const { agent, offer, id } = await holder('unstored');
    const repair = await breakRecords(id);
    agent.complete(offer, { output: 7 });
    expect(await ended(agent)).toMatchObject({ code: Code.UNAVAILABLE, reason: 'STORE_UNAVAILABLE' });
    expect(agent.acks).toEqual([]);
    await repair();
    const again = await welcomed({ id: agent.id, types: ['unstored'], credits: 0, held: [offer] });
    again.complete(offer, { output: 7 });
    expect(await client.wait(id)).toMatchObject({ status: 'succeeded' });
    await until('the acknowledgement', () => again.acks.length);
    expect(again.acks).toMatchObject([{ token: offer.token, refused: '' }]);
  });

  test('further jobs: neither they nor the completion behind them is acknowledged', async () => {
    const { agent, offer, id } = await holder('unstored-emit');
    const { jobId, token } = offer;
    const repair = await breakRecords(id);
    agent.send({ emitted: [{ jobId, token, batch: 1, inputsJson: ['{}'] }], completed: [completion(offer)] });
    expect(await ended(agent)).toMatchObject({ code: Code.UNAVAILABLE, reason: 'STORE_UNAVAILABLE' });
    await repair();
    expect([agent.acks, agent.emitAcks]).toEqual([[], []]);
    expect((await client.get(id)).status).toBeOneOf(['scheduled', 'processing']);
  });
});

describe('an output', () => {
  const deep = `{"v":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
  test.each([
    ['nested too deeply', deep, 'EXECUTOR_CONTRACT'],
    ['of more than 1 MiB', JSON.stringify('o'.repeat(1024 * 1024)), 'OUTPUT_TOO_LARGE'],
    ['of more than 1 MiB in UTF-8', JSON.stringify('ü'.repeat(600_000)), 'OUTPUT_TOO_LARGE'],
    ['that is not JSON', '{"v":', 'EXECUTOR_CONTRACT'],
  ])('%s fails the job, with further jobs before it or without', async (what, outputJson, reason) => {
    const type = what.replaceAll(' ', '-');
    const agent = await welcomed({ types: [type], credits: 10 });
    for (const emitted of [false, true]) {
      const { workflow } = await client.submit({
        steps: [
          { type, name: 'a', input: {} },
          { type, name: 'b', input: { v: { $ref: 'a', path: 'output.v' } } },
        ],
      });
      const offer = await until('the offer', () => agent.offers[emitted ? 1 : 0]);
      const { jobId, token } = offer;
      agent.send({
        emitted: emitted ? [{ jobId, token, batch: 1, inputsJson: [] }] : [],
        completed: [completion(offer, outputJson)],
      });
      const { steps, status } = await client.wait(workflow.id);
      expect([status, steps[0]?.reason]).toEqual(['failed', reason]);
    }
    await until('both acknowledgements', () => agent.acks.length === 2);
    expect(agent.error).toBeUndefined();
  });

  test('and a reason longer than any: it is cut', async () => {
    const { agent, offer, id } = await holder('talkative');
    agent.complete(offer, { fail: 'R'.repeat(70_000) });
    const { steps } = await client.wait(id);
    expect(steps[0]?.reason).toBe('R'.repeat(100));
  });
});

test.each([
  ['not JSON', ['{"n":1}', '{"n":']],
  ['too large', [JSON.stringify('i'.repeat(4 * 1024 * 1024))]],
  ['too deep', ['['.repeat(100) + ']'.repeat(100)]],
  ['too many', Array.from({ length: 1001 }, () => '{}')],
])('further jobs that are %s break the protocol', async (_, inputsJson) => {
  const { agent, offer, id } = await holder('emitting');
  const { jobId, token } = offer;
  agent.send({ emitted: [{ jobId, token, batch: 1, inputsJson }], completed: [completion(offer)] });
  expect(await ended(agent)).toMatchObject({ reason: 'PROTOCOL_VIOLATION' });
  expect((await client.get(id)).status).toBeOneOf(['scheduled', 'processing']);
  await client.cancel(id);
});

const advertised = (more: object): Plain<Hello__Output> => ({
  advertisement: { executors: [], labels: {}, ...more },
});
const executors = (count: number, more: object) =>
  Array.from({ length: count }, (_, i) => ({ type: `t${i}`, version: '1', concurrency: 1, ...more }));
const labels = (count: number, value: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, value]));

test.each<[string, Plain<Hello__Output>]>([
  ['no id', { agentId: '' }],
  ['a huge id', { agentId: 'A'.repeat(70_000) }],
  ['an id of odd characters', { agentId: 'a\nb' }],
  ['a huge name', { name: 'n'.repeat(201) }],
  ['a huge version', { version: 'v'.repeat(201) }],
  ['too many held jobs', { held: Array.from({ length: 10_001 }, () => NOWHERE) }],
  ['too many executors', advertised({ executors: executors(257, {}) })],
  ['a type that is none', advertised({ executors: executors(1, { type: 'a b' }) })],
  ['a huge type', advertised({ executors: executors(1, { type: 't'.repeat(129) }) })],
  ['a huge cost', advertised({ executors: executors(1, { cost: '1'.repeat(1001) }) })],
  ['too many labels', advertised({ labels: labels(65, 'v') })],
  ['a huge label', advertised({ labels: labels(1, 'v'.repeat(201)) })],
])('a hello with %s is refused', async (_, hello) => {
  const agent = connect({ hello });
  await expect(agent.welcomed).rejects.toMatchObject({
    code: Code.INVALID_ARGUMENT,
    reason: 'PROTOCOL_VIOLATION',
  });
});

test('a later advertisement is held to the same bounds', async () => {
  const agent = await welcomed({ types: ['modest'] });
  agent.send({ advertisement: { executors: executors(256, {}), labels: labels(64, 'v'.repeat(200)) } });
  agent.send({ advertisement: { executors: executors(257, {}) } });
  expect(await ended(agent)).toMatchObject({ reason: 'PROTOCOL_VIOLATION' });
});

test('a job of a cell that does not exist is lost, whatever is said of it', async () => {
  const agent = await welcomed({ types: ['elsewhere'], credits: 1, held: [NOWHERE] });
  expect(await agent.welcomed).toMatchObject({ lostJobIds: [NOWHERE.jobId], confirmedJobIds: [] });
  const odd = { jobId: 'job_of_no_shape', token: '' };
  for (const job of [NOWHERE, odd]) {
    agent.send({
      accepted: [job],
      started: [job],
      progress: [{ ...job, fraction: 0.5 }],
      released: [job],
      emitted: [{ ...job, batch: 1, inputsJson: ['{}'] }],
      heartbeat: { held: [job] },
      completed: [completion(job), { ...completion(job), verdict: Verdict.VERDICT_CANCELED }],
    });
  }
  await until('the answers', () => agent.acks.length === 4 && agent.emitAcks.length === 2);
  expect(agent.acks.every((ack) => ack.refused === 'LEASE_LOST')).toBe(true);
  expect(agent.emitAcks.every((ack) => ack.refused === 'LEASE_LOST')).toBe(true);
  expect(agent.cancels.every((cancel) => cancel.reason === 'lease_lost')).toBe(true);
  await works(agent, 'elsewhere');
});

describe('of two streams of one agent', () => {
  test('the newer one wins and the older one is told', async () => {
    const older = await welcomed({ id: 'twice', types: ['twice'], credits: 1 });
    const newer = await welcomed({ id: 'twice', types: ['twice'], credits: 1 });
    expect(await ended(older)).toMatchObject({ code: Code.FAILED_PRECONDITION, reason: 'WRONG_STATE' });
    await works(newer, 'twice');
    expect(older.offers).toEqual([]);
    expect(await record('twice')).toMatchObject({ state: AgentState.AGENT_STATE_CONNECTED });
  });

  test.each(['that is gone', 'that is still there'])(
    'an older one %s when it is greeted last never joins',
    async (when) => {
      const id = when.replaceAll(' ', '-');
      const greet = vi.spyOn(Greeter.prototype, 'greet');
      onTestFinished(() => greet.mockRestore());
      // A type nobody knows must be written before the welcome: so the greeting waits for the store.
      redis().freeze();
      const older = connect({ id, types: [`${id}-old`], credits: 1 });
      await until('the older greeting', () => greet.mock.calls.length === 1);
      const newer = connect({ id, types: [id], credits: 1 });
      await until('the newer greeting', () => greet.mock.calls.length === 2);
      const link = greet.mock.calls[0]?.[2];
      if (when === 'that is gone') {
        older.close();
        await until('its end', () => link?.isOver());
      }
      redis().thaw();
      await newer.welcomed;
      if (when !== 'that is gone') expect(await ended(older)).toMatchObject({ reason: 'WRONG_STATE' });
      await expect(older.welcomed).rejects.toBeDefined();
      await works(newer, id);
      expect(await record(id)).toMatchObject({ state: AgentState.AGENT_STATE_CONNECTED });
    },
  );
});

test('an offer that lapsed unseen is no longer counted as held', async () => {
  const agent = await welcomed({ types: ['silent'], credits: 1 });
  const { workflow } = await client.submit({ steps: [{ type: 'silent', input: {} }] });
  await until('the offer', () => agent.offers.length);
  agent.send({ heartbeat: { held: [] } });
  await until('the record to count it', async () => (await record(agent.id))?.held === 1);
  const forgotten = await until('the record to forget it', async () => {
    agent.send({ heartbeat: { held: [] } });
    const found = await record(agent.id);
    return found?.held === 0 && found;
  });
  expect(forgotten).toMatchObject({ held: 0, state: AgentState.AGENT_STATE_CONNECTED });
  await client.cancel(workflow.id);
});

test('messages before the welcome are bounded', async () => {
  redis().freeze();
  onTestFinished(() => redis().thaw());
  const agent = connect({ types: ['eager'] });
  for (let i = 0; i < 1001; i++) agent.send({ heartbeat: { held: [] } });
  expect(await ended(agent)).toMatchObject({ code: Code.INVALID_ARGUMENT, reason: 'PROTOCOL_VIOLATION' });
});
