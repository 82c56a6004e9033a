/** Watching over lost connections, lost data and other coordinators. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, DibsError } from '../../../sdk/client/index.ts';
import type { DibsClient, WatchEvent } from '../../../sdk/client/index.ts';
import { State } from '../../../sdk/common/states.ts';
import { collect } from '../../support/collect.ts';
import { FakeWorkflowServer } from '../../support/fake-workflow-server.ts';
import type { Stored } from '../../support/fake-workflow-store.ts';

describe('watch', () => {
  let server: FakeWorkflowServer;
  let client: DibsClient;
  let stored: Stored;

  beforeEach(async () => {
    server = await FakeWorkflowServer.start();
    client = createClient({ address: server.address });
    const { workflow } = await client.submit({ steps: [{ type: 'value.echo', name: 'only' }] });
    stored = server.store.get(workflow.id);
  });
  afterEach(() => {
    client.close();
    server.kill();
  });

  const job = (type: string): void => {
    server.store.add(stored, {
      type,
      state: State.processing,
      step: 'only',
      jobId: 'job_1',
      dataJson: '{"progress":0.5}',
    });
  };
  const sequences = (events: readonly WatchEvent[]): number[] =>
    events.map((event) => (event.type === 'resync' ? 0 : event.sequence));

  it('gives every event from the first to the terminal one, then ends', async () => {
    job('job.started');
    const watching = collect(client.watch(stored.workflow.id));
    job('job.progress');
    server.store.end(stored.workflow.id, 'succeeded');
    const events = await watching;
    expect(events.map(({ type }) => type)).toEqual([
      'workflow.created',
      'job.started',
      'job.progress',
      'workflow.succeeded',
    ]);
    expect(events[2]).toMatchObject({
      step: 'only',
      jobId: 'job_1',
      agentId: null,
      data: { progress: 0.5 },
      status: 'processing',
    });
  });

  it('goes on where it was when the coordinator crashed and came back', async () => {
    const events: WatchEvent[] = [];
    for await (const event of client.watch(stored.workflow.id)) {
      events.push(event);
      if (events.length === 1) {
        server.kill();
        job('job.started');
        await server.restart();
        job('job.progress');
        server.store.end(stored.workflow.id, 'succeeded');
      }
    }
    expect(sequences(events)).toEqual([1, 2, 3, 4]);
    expect(server.calls.filter((method) => method === 'watchWorkflow').length).toBeGreaterThan(1);
  });

  it('goes on with another coordinator', async () => {
    const other = await FakeWorkflowServer.start(server.store);
    const both = createClient({ address: `${server.address},${other.address}` });
    const events: WatchEvent[] = [];
    for await (const event of both.watch(stored.workflow.id)) {
      events.push(event);
      if (events.length > 1) continue;
      server.kill();
      server.store.end(stored.workflow.id, 'succeeded');
    }
    expect(sequences(events)).toEqual([1, 2]);
    both.close();
    other.kill();
  });

  it('reconnects when a stream ends too early', async () => {
    server.failNext(
      'watchWorkflow',
      new DibsError('DRAINING', 'leaving'),
      new DibsError('STORE_UNAVAILABLE', 'loading'),
    );
    server.store.end(stored.workflow.id, 'succeeded');
    expect(sequences(await collect(client.watch(stored.workflow.id)))).toEqual([1, 2]);
  });

  it('hands on a resync and follows the log after its snapshot', async () => {
    job('job.started');
    server.resyncNext = true;
    const events: WatchEvent[] = [];
    for await (const event of client.watch(stored.workflow.id, { afterCursor: '9.lost' })) {
      events.push(event);
      if (event.type === 'resync') server.store.end(stored.workflow.id, 'succeeded');
    }
    expect(events).toMatchObject([
      { type: 'resync', workflow: { sequence: 2 } },
      { type: 'workflow.succeeded', sequence: 3 },
    ]);
  });

  it('starts after a cursor and ends at once when nothing can follow', async () => {
    server.store.end(stored.workflow.id, 'failed', { reason: 'STEP_FAILED', message: 'no' });
    const [, last] = await collect(client.watch(stored.workflow.id));
    expect(last).toMatchObject({ type: 'workflow.failed', reason: 'STEP_FAILED', message: 'no' });
    const cursor = last?.type === 'resync' ? '' : (last?.cursor ?? '');
    expect(await collect(client.watch(stored.workflow.id, { afterCursor: cursor }))).toEqual([]);
  });

  it('refuses for good what cannot get better', async () => {
    await expect(collect(client.watch('wf_nope'))).rejects.toMatchObject({ reason: 'WORKFLOW_NOT_FOUND' });
    expect(server.calls.filter((method) => method === 'watchWorkflow')).toHaveLength(1);
  });

  it('ends with the signal, and with the loop', async () => {
    const abort = new AbortController();
    const watching = collect(client.watch(stored.workflow.id, { signal: abort.signal }));
    abort.abort(new Error('enough'));
    await expect(watching).rejects.toThrow('enough');
    for await (const event of client.watch(stored.workflow.id)) {
      expect(event.type).toBe('workflow.created');
      break;
    }
  });
});
