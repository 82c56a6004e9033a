/** Submitting many over one stream: batches, refusals, and servers that die at the worst moment. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, DibsError, readResult } from '../../../sdk/client/index.ts';
import type { DibsClient, SubmitManyItem, SubmitOutcome, WorkflowInput } from '../../../sdk/client/index.ts';
import { collect } from '../../support/collect.ts';
import { FakeWorkflowServer } from '../../support/fake-workflow-server.ts';

const echo = (n: number): WorkflowInput => ({ steps: [{ type: 'value.echo', input: { n } }] });
const echoes = (count: number): WorkflowInput[] => Array.from({ length: count }, (_, index) => echo(index));

describe('submit stream', () => {
  let server: FakeWorkflowServer;
  let client: DibsClient;

  beforeEach(async () => {
    server = await FakeWorkflowServer.start();
    client = createClient({ address: server.address });
  });
  afterEach(() => {
    client.close();
    server.kill();
  });

  it('sends what one turn submits as one message of at most 256', async () => {
    await using stream = client.openSubmitStream();
    const acks = await Promise.all(echoes(600).map((workflow) => stream.submit(workflow)));
    expect(new Set(acks.map(({ workflowId }) => workflowId)).size).toBe(600);
    expect(server.batches.map((batch) => batch.length)).toEqual([256, 256, 88]);
    expect(stream.pending).toBe(0);
  });

  it('keeps a result until it is asked for, and gives one asked for early', async () => {
    await using stream = client.openSubmitStream();
    server.store.endAtOnce = true;
    const { requestId } = await stream.submit(echo(1), { result: true });
    const result = readResult(await stream.result(requestId));
    expect(result).toMatchObject({ status: 'succeeded', steps: [{ name: '0', output: { n: 0 } }], total: 1 });
    await expect(stream.result(requestId)).rejects.toThrow('No result was asked for');

    server.store.endAtOnce = false;
    const ack = await stream.submit(echo(2), { result: true });
    const early = stream.result(ack.requestId);
    server.store.end(ack.workflowId, 'canceled', { reason: 'CANCELED_BY_USER', message: 'no' });
    expect(readResult(await early)).toMatchObject({ status: 'canceled', reason: 'CANCELED_BY_USER' });
  });

  it('rejects what is refused and nothing else', async () => {
    await using stream = client.openSubmitStream();
    const [bad, good] = await Promise.allSettled([
      stream.submit({ steps: [] }),
      stream.run(echo(1), { requestId: 'r' }),
      endLater(),
    ]);
    async function endLater(): Promise<void> {
      server.store.once('stored', (id: string) => server.store.end(id, 'succeeded'));
    }
    expect(bad).toMatchObject({
      status: 'rejected',
      reason: { reason: 'INVALID_WORKFLOW', problems: [{ path: 'steps' }] },
    });
    expect(good).toMatchObject({ status: 'fulfilled', value: { requestId: 'r' } });
    await expect(stream.submit({ steps: [{ type: 'x' }] }, { requestId: 'r' })).rejects.toMatchObject({
      code: 6,
    });
  });

  it('refuses a request id that is under way', async () => {
    await using stream = client.openSubmitStream();
    const first = stream.submit(echo(1), { requestId: 'r' });
    await expect(stream.submit(echo(1), { requestId: 'r' })).rejects.toThrow('already under way');
    await first;
  });

  it('resubmits under the same ids after a crash before the acknowledgement', async () => {
    await using stream = client.openSubmitStream();
    server.beforeAck = async () => {
      server.beforeAck = () => undefined;
      server.kill();
      await server.restart();
    };
    const acks = await Promise.all(echoes(300).map((workflow) => stream.submit(workflow)));
    expect(server.store.workflows.size).toBe(300);
    expect(acks.filter(({ duplicate }) => duplicate).length).toBeGreaterThan(0);
  });

  it('asks again for the results of acknowledged ones after a crash', async () => {
    await using stream = client.openSubmitStream();
    const acks = await Promise.all(echoes(3).map((workflow) => stream.submit(workflow, { result: true })));
    server.kill();
    for (const { workflowId } of acks) server.store.end(workflowId, 'succeeded');
    await server.restart();
    const results = await Promise.all(acks.map(({ requestId }) => stream.result(requestId)));
    expect(results.map(({ workflowId }) => workflowId)).toEqual(acks.map(({ workflowId }) => workflowId));
  });

  it('waits for a store that is away, then submits', async () => {
    await using stream = client.openSubmitStream();
    const { submit } = server.store;
    let refusals = 3;
    server.store.submit = (item) => {
      if (refusals-- > 0) throw new DibsError('STORE_UNAVAILABLE', 'Redis is loading.');
      return submit.call(server.store, item);
    };
    expect(await stream.submit(echo(1))).toMatchObject({ duplicate: false });
  });

  it('rejects what is open when it is closed, and when nobody can be reached', async () => {
    const stream = client.openSubmitStream();
    server.beforeAck = () => new Promise(() => undefined);
    const open = stream.submit(echo(1));
    setImmediate(() => stream.close());
    await expect(open).rejects.toThrow('was closed');
    await expect(stream.submit(echo(2))).rejects.toThrow('is closed');

    const lost = createClient({ address: '127.0.0.1:1', reconnectMs: 50 });
    await expect(lost.openSubmitStream().submit(echo(1))).rejects.toMatchObject({ reason: 'UNAVAILABLE' });
    lost.close();
  });
});

describe('submitMany', () => {
  let server: FakeWorkflowServer;
  let client: DibsClient;

  beforeEach(async () => {
    server = await FakeWorkflowServer.start();
    client = createClient({ address: server.address });
  });
  afterEach(() => {
    client.close();
    server.kill();
  });

  it('acknowledges every item of an iterable', async () => {
    const outcomes = await collect(client.submitMany(echoes(500)));
    expect(outcomes.map(({ index }) => index).sort((a, b) => a - b)).toEqual(
      echoes(500).map((_, index) => index),
    );
    expect(outcomes.every(({ kind }) => kind === 'acked')).toBe(true);
    expect(Math.max(...server.batches.map((batch) => batch.length))).toBe(64);
  });

  it('gives results, and refusals among them', async () => {
    server.store.endAtOnce = true;
    const items: SubmitManyItem[] = [
      echo(1),
      { steps: [] },
      { workflow: echo(2), requestId: 'mine' },
      { steps: 7 } as never,
    ];
    const outcomes = await collect(client.submitMany(items, { results: true }));
    const byIndex = outcomes.toSorted((a, b) => a.index - b.index);
    expect(byIndex).toMatchObject([
      { kind: 'ended', result: { status: 'succeeded', succeeded: 1 } },
      { kind: 'refused', error: { reason: 'INVALID_WORKFLOW' } },
      { kind: 'ended', requestId: 'mine' },
      { kind: 'refused', error: { problems: [{ path: 'steps' }] } },
    ]);
  });

  it('reads the source no further than maxInFlight', async () => {
    let read = 0;
    async function* source(): AsyncGenerator<WorkflowInput> {
      for (;;) yield echo(read++);
    }
    const held = Promise.withResolvers<void>();
    const received = Promise.withResolvers<void>();
    server.beforeAck = () => {
      if (server.batches.flat().length === 10) received.resolve();
      return held.promise;
    };
    const outcomes: SubmitOutcome[] = [];
    const reading = (async () => {
      for await (const outcome of client.submitMany(source(), { maxInFlight: 10 })) {
        if (outcomes.push(outcome) === 30) break;
      }
    })();
    await received.promise;
    expect(read).toBe(10);
    held.resolve();
    await reading;
    expect(outcomes).toHaveLength(30);
  });

  it('loses and doubles nothing when the server is killed again and again', async () => {
    server.store.endAtOnce = true;
    let kills = 0;
    server.beforeAck = async () => {
      if (server.batches.length % 7 !== 0 || kills === 5) return;
      kills += 1;
      server.kill();
      await server.restart();
    };
    const outcomes = await collect(client.submitMany(echoes(2_000), { results: true, maxInFlight: 256 }));
    expect(kills).toBe(5);
    expect(new Set(outcomes.map(({ index }) => index)).size).toBe(2_000);
    expect(outcomes).toHaveLength(2_000);
    expect(outcomes.every(({ kind }) => kind === 'ended')).toBe(true);
    expect(server.store.workflows.size).toBe(2_000);
  });

  it('passes on what the source throws, closes the source when left, ends on abort', async () => {
    async function* broken(): AsyncGenerator<WorkflowInput> {
      yield echo(1);
      throw new Error('no more');
    }
    await expect(collect(client.submitMany(broken()))).rejects.toThrow('no more');

    let closed = false;
    function* endless(): Generator<WorkflowInput> {
      try {
        for (;;) yield echo(1);
      } finally {
        closed = true;
      }
    }
    for await (const _outcome of client.submitMany(endless())) break;
    expect(closed).toBe(true);

    const abort = new AbortController();
    server.beforeAck = () => new Promise(() => abort.abort(new Error('enough')));
    await expect(collect(client.submitMany(endless(), { signal: abort.signal }))).rejects.toThrow('enough');
  });
});
