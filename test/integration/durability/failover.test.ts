/** A master is lost under load behind a real Sentinel: with t3 every acknowledged workflow ends, exactly once. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { isTerminalEvent } from '../../../sdk/common/events.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import '../../support/leaks.ts';
import { startSentinel } from '../../support/redis-sentinel.ts';
import type { TestSentinel } from '../../support/redis-sentinel.ts';
import { until } from '../../support/until.ts';

let redis: TestSentinel;
beforeAll(async () => {
  redis = await startSentinel();
});
afterAll(() => redis?.stop());

let round = 0;
let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
});

/** An agent whose session the store's failure ended comes back, as the daemon does. */
function keepAgent(address: string, name: string): void {
  let current: RawAgent | undefined;
  let isClosed = false;
  const open = (): void => {
    if (isClosed) return;
    current = new RawAgent({
      address,
      id: name,
      types: ['echo'],
      credits: 16,
      answer: ({ inputJson }) => ({ output: JSON.parse(inputJson) as unknown }),
    });
    current.once('end', () => setImmediate(open));
  };
  open();
  closing.push(() => {
    isClosed = true;
    current?.close();
  });
}

/** Submits until told to stop, each until it is acknowledged; gives the acknowledged ones, by request id. */
async function submitUntil(client: DibsClient, name: string, over: AbortSignal, acked: Map<string, string>) {
  for (let i = 0; !over.aborted; i++) {
    const requestId = `${name}-${i}`;
    for (;;) {
      try {
        const { workflow } = await client.submit(
          { name: 'failover', allowUnknownTypes: true, steps: [{ type: 'echo', input: { requestId } }] },
          { requestId },
        );
        acked.set(requestId, workflow.id);
        break;
      } catch (error) {
        // Not acknowledged: it is submitted again under the same request id.
        expect(error).toMatchObject({ reason: expect.stringMatching(/UNAVAILABLE|DEADLINE/) as string });
      }
    }
  }
}

test.each([
  ['killed', () => redis.killMaster()],
  // It comes back believing itself the master; connections to it still stand.
  ['frozen, and thawed when another is the master,', () => redis.freezeMaster()],
])(
  'a master %s loses nothing that was acknowledged, and work goes on',
  async (_how, strike) => {
    const times = { offerMs: 2000, dueMs: 250, undecidedMs: 500 };
    const one = await startCoordinator(redis.url, {
      durability: 't3',
      replicaWaitMs: 300,
      times,
      namespace: `failover-${round++}`,
    });
    closing.push(() => one.stop());
    const client = createClient({ address: one.address });
    closing.push(() => client.close());
    keepAgent(one.address, 'agent-1');
    keepAgent(one.address, 'agent-2');

    const acked = new Map<string, string>();
    const ended: string[] = [];
    const over = new AbortController();
    closing.push(() => over.abort());
    const submitters = [1, 2, 3].map((n) => submitUntil(client, `unary-${n}`, over.signal, acked));
    const source = async function* () {
      for (let i = 0; !over.signal.aborted; i++) {
        const requestId = `stream-${i}`;
        yield { requestId, workflow: { name: 'failover', steps: [{ type: 'echo', input: { requestId } }] } };
      }
    };
    await until('work to be done', () => acked.size >= 30, { timeoutMs: 30_000 });
    const stream = (async () => {
      for await (const outcome of client.submitMany(source(), { results: true, maxInFlight: 16 })) {
        if (outcome.kind === 'refused') {
          expect(outcome.error).toMatchObject({ reason: 'STORE_UNAVAILABLE' });
          continue;
        }
        if (outcome.kind !== 'ended') throw new Error(outcome.kind);
        ended.push(outcome.requestId);
        acked.set(outcome.requestId, outcome.workflowId);
        expect(outcome.result.steps[0]?.output).toEqual({ requestId: outcome.requestId });
      }
    })();
    await until('ends to be told', () => ended.length >= 30, { timeoutMs: 30_000 });

    const old = await strike();
    await redis.bringBack(old);
    const before = acked.size;
    await until('submits to be acknowledged again', () => acked.size >= before + 50, { timeoutMs: 40_000 });
    over.abort();
    await Promise.all([...submitters, stream]);

    expect(new Set(ended).size).toBe(ended.length);
    const ids = [...acked];
    for (const [requestId, id] of ids) {
      const { status, steps } = await client.wait(id, { timeoutMs: 20_000 });
      expect(status).toBe('succeeded');
      expect(steps[0]?.output).toEqual({ requestId });
      const types: string[] = [];
      for await (const event of client.watch(id)) types.push(event.type);
      expect(types.filter((type) => isTerminalEvent(type as never))).toEqual(['workflow.succeeded']);
    }
    const listed: string[] = [];
    for await (const { id } of client.list({ filter: 'name=failover' })) listed.push(id);
    expect(new Set(listed).size).toBe(listed.length);
    for (const [, id] of ids) expect(listed).toContain(id);
    await redis.inStep();
  },
  120_000,
);
