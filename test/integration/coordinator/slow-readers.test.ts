/** Clients that stop reading: what is kept for them is bounded, they are cut, and resuming loses and repeats nothing. */
import grpc from '@grpc/grpc-js';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Store } from '../../../coordinator/queue/store.ts';
import type {
  CoordinatorMessage__Output,
  SubmitStreamResponse__Output,
  WatchWorkflowResponse__Output,
} from '../../../proto/gen/index.ts';
import { agentService, makeClient, workflowService } from '../../../proto/gen/load.ts';
import { fromServiceError } from '../../../runtime/grpc-errors.ts';
import { clientOptions } from '../../../runtime/grpc-options.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import type { DibsError } from '../../../sdk/common/errors.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const SLOW_MS = 400;
const JOBS = 4000;
/** The server is held up after this much, not after the 4 MiB our own clients allow. */
const SMALL_WINDOW = { ...clientOptions, 'grpc-node.flow_control_window': 65_535 };

const redis = useRedis();
let one: TestCoordinator;
let client: DibsClient;
let agent: RawAgent;
beforeAll(async () => {
  one = await startCoordinator(redis().url, { times: { slowReaderMs: SLOW_MS, offerMs: 1500, dueMs: 200 } });
  client = createClient({ address: one.address });
  // Its id stands in most events: the longer, the more bytes a log has.
  agent = new RawAgent({
    address: one.address,
    id: 'a'.repeat(100),
    types: ['echo'],
    credits: 512,
    answer: ({ inputJson }) => ({ output: JSON.parse(inputJson) as unknown }),
  });
  await agent.welcomed;
});
afterAll(async () => {
  agent?.close();
  client?.close();
  await one?.stop();
});
let closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.toReversed()) close();
  closing = [];
});

function rawClient(address = one.address) {
  const raw = makeClient(workflowService, address, grpc.credentials.createInsecure(), SMALL_WINDOW);
  closing.push(() => raw.close());
  return raw;
}

/** A workflow that has ended, with a long log. */
async function longLog(): Promise<{ id: string; events: number }> {
  const { workflow } = await client.submit({
    steps: [{ type: 'echo', forEach: { items: JOBS, as: 'i' }, input: { i: { $ref: 'i' } } }],
  });
  await client.wait(workflow.id);
  const { sequence } = await client.get(workflow.id);
  return { id: workflow.id, events: sequence };
}

/** Reads one message and then no more: a grpc-js client that never began would take in everything. */
function stall<T>(stream: grpc.ClientReadableStream<T>, take: (message: T) => void): void {
  stream.on('error', () => undefined);
  stream.once('data', (message: T) => {
    stream.pause();
    take(message);
  });
}

/** Takes everything until the stream's end; gives the reason it ended for. */
function readOn<T>(
  stream: grpc.ClientReadableStream<T>,
  take: (message: T) => void,
): Promise<DibsError | null> {
  return new Promise((resolve) => {
    stream.on('data', take);
    stream.on('error', (error: grpc.ServiceError) => resolve(fromServiceError(error)));
    stream.on('status', ({ code }: grpc.StatusObject) => code === grpc.status.OK && resolve(null));
    stream.resume();
  });
}

/** A way to the coordinator that can be blocked for what comes back: as if the other end no longer ran. */
async function openWay(to: string) {
  const backs = new Set<Socket>();
  const server = createServer((socket) => {
    const back = connect(Number(to.split(':')[1]), '127.0.0.1');
    backs.add(back);
    socket.pipe(back);
    back.on('data', (chunk) => socket.write(chunk));
    for (const [end, other] of [
      [socket, back],
      [back, socket],
    ] as const) {
      end.on('error', () => undefined);
      end.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    for (const back of backs) back.destroy();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    block: () => backs.forEach((back) => back.pause()),
    open: () => backs.forEach((back) => back.resume()),
  };
}

/** Until whoever reads nothing has lost its stream. */
async function outlast(): Promise<void> {
  const since = performance.now();
  await until('the patience with a slow reader to be over', () => performance.now() - since > 2 * SLOW_MS);
}

describe('a watcher', () => {
  test('that does not read costs a few pages of its log, is cut, and resumes without loss or repeat', async () => {
    const { id, events } = await longLog();
    expect(events).toBeGreaterThan(2 * JOBS);
    const raw = rawClient();
    const reads = vi.spyOn(Store.prototype, 'log');
    const stream = raw.watchWorkflow({ workflowId: id });
    const seen: number[] = [];
    let cursor = '';
    const take = (message: WatchWorkflowResponse__Output): void => {
      for (const event of message.events) {
        seen.push(event.sequence);
        ({ cursor } = event);
      }
    };
    stall(stream, take);
    await until('the server to read', () => reads.mock.calls.length > 0);
    await outlast();
    const whileBlocked = reads.mock.calls.length;
    const error = await readOn(stream, take);
    expect(error).toMatchObject({ reason: 'SLOW_READER' });
    const cutAt = seen.length;
    expect(cutAt).toBeGreaterThan(0);
    expect(cutAt).toBeLessThan(events);

    const rest = raw.watchWorkflow({ workflowId: id, afterCursor: cursor });
    expect(await readOn(rest, take)).toBeNull();
    expect(seen).toEqual(Array.from({ length: events }, (_, i) => i + 1));
    // What was read for the one that did not read is a part of what a whole log takes.
    expect(whileBlocked).toBeLessThan(reads.mock.calls.length / 2);
  });

  test('by the SDK that pauses now and then gets every event once', async () => {
    const { id, events } = await longLog();
    const seen: number[] = [];
    for await (const event of client.watch(id)) {
      if (event.type === 'resync') throw new Error('nothing was lost');
      seen.push(event.sequence);
      if (seen.length === 1 || seen.length === 6000) await outlast();
    }
    expect(seen).toEqual(Array.from({ length: events }, (_, i) => i + 1));
  });
});

describe('a submit stream', () => {
  test('nobody reads from is cut; what is sent again is answered, and runs, once', async () => {
    const way = await openWay(one.address);
    const raw = rawClient(way.address);
    const items = Array.from({ length: 600 }, (_, i) => ({
      requestId: `slow-${i}`,
      wantResult: true,
      workflow: { steps: [{ type: 'gated', inputJson: JSON.stringify({ i, pad: 'x'.repeat(40_000) }) }] },
    }));
    const gate = Promise.withResolvers<void>();
    const gated = new RawAgent({
      address: one.address,
      types: ['gated'],
      credits: 600,
      answer: async ({ inputJson }) => {
        await gate.promise;
        return { output: JSON.parse(inputJson) as unknown };
      },
    });
    closing.push(() => gated.close());
    gated.on('offer', ({ jobId, token }) => gated.send({ accepted: [{ jobId, token }] }));
    await gated.welcomed;
    const stream = raw.submitStream();
    let acks = 0;
    const first = new Map<string, number>();
    const count = (ends: Map<string, number>) => (message: SubmitStreamResponse__Output) => {
      acks += message.acks.length;
      for (const { requestId } of message.results) ends.set(requestId, (ends.get(requestId) ?? 0) + 1);
    };
    const ended = readOn(stream, count(first));
    for (let from = 0; from < items.length; from += 50) stream.write({ items: items.slice(from, from + 50) });
    await until('all to be taken', () => acks === 600 && gated.offers.length === 600, { timeoutMs: 30_000 });
    way.block();
    gate.resolve();
    await until('all to be done', () => gated.acks.length === 600, { timeoutMs: 30_000 });
    await outlast();
    way.open();
    expect(await ended).toMatchObject({ reason: 'SLOW_READER' });
    expect(first.size).toBeLessThan(600);
    expect([...first.values()].every((times) => times === 1)).toBe(true);

    const again = raw.submitStream();
    const second = new Map<string, number>();
    const left = items.filter(({ requestId }) => !first.has(requestId));
    for (let from = 0; from < left.length; from += 50) again.write({ items: left.slice(from, from + 50) });
    again.end();
    expect(await readOn(again, count(second))).toBeNull();
    expect(second.size).toBe(left.length);
    expect([...second.values()].every((times) => times === 1)).toBe(true);
    // Each ran once.
    expect(gated.offers).toHaveLength(600);
  });
});

test('an agent that does not read is cut, and its jobs go to another', async () => {
  const way = await openWay(one.address);
  const raw = makeClient(agentService, way.address, grpc.credentials.createInsecure(), SMALL_WINDOW);
  closing.push(() => raw.close());
  const session = raw.session();
  const messages: CoordinatorMessage__Output[] = [];
  const ended = readOn(session, (message: CoordinatorMessage__Output) => void messages.push(message));
  session.write({
    hello: {
      agentId: 'deaf',
      name: 'deaf',
      version: '0',
      advertisement: { executors: [{ type: 'heavy', version: '1', concurrency: 1 }], slots: 512 },
      protocolRevision: 1,
    },
  });
  session.write({ credits: { total: 512, byType: {}, revision: 1, offersSeen: 0 } });
  await until('the agent to be known', async () => {
    for await (const { name, status } of client.agents()) if (name === 'deaf') return status === 'connected';
    return false;
  });
  way.block();
  const { workflow } = await client.submit({
    steps: [
      {
        type: 'heavy',
        forEach: { items: 200, as: 'i' },
        input: { i: { $ref: 'i' }, pad: 'x'.repeat(100_000) },
      },
    ],
  });
  await until('the deaf agent to be lost', async () => {
    for await (const { name, status } of client.agents()) if (name === 'deaf') return status === 'lost';
    return true;
  });
  way.open();
  expect(await ended).toMatchObject({ reason: 'SLOW_READER' });
  const other = new RawAgent({ address: one.address, types: ['heavy'], answer: () => ({ output: 1 }) });
  closing.push(() => other.close());
  const { status } = await client.wait(workflow.id, { timeoutMs: 40_000 });
  expect(status).toBe('succeeded');
}, 60_000);
