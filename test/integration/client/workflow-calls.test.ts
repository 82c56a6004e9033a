/** The unary calls against a fake coordinator on the real wire. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, DibsError, WaitTimeoutError, WorkflowFailedError } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { collect } from '../../support/collect.ts';
import { FakeWorkflowServer } from '../../support/fake-workflow-server.ts';

const ECHO = { name: 'demo', steps: [{ type: 'value.echo', name: 'only', input: { a: 1 } }] };

describe('client calls', () => {
  let server: FakeWorkflowServer;
  let client: DibsClient;

  beforeEach(async () => {
    server = await FakeWorkflowServer.start();
    client = createClient({ address: server.address, token: 'secret' });
  });
  afterEach(() => {
    client.close();
    server.kill();
  });

  it('submits with the token and reads the workflow back', async () => {
    const { workflow, duplicate } = await client.submit({
      ...ECHO,
      tags: ['nightly'],
      metadata: { who: 'me' },
      state: [1],
    });
    expect(duplicate).toBe(false);
    expect(server.metadata.get('authorization')).toEqual(['Bearer secret']);
    expect(workflow).toMatchObject({ name: 'demo', status: 'unassigned', completedAt: null, reason: null });
    const read = await client.get(workflow.id);
    expect(read).toMatchObject({ tags: ['nightly'], metadata: { who: 'me' }, state: [1], arguments: {} });
    expect(read.steps).toMatchObject([
      { name: 'only', type: 'value.echo', status: 'unassigned', output: null, progress: null },
    ]);
    expect(read.createdAt).toBeInstanceOf(Date);
  });

  it('repeats a submit with the request id of the first try', async () => {
    server.failNext('submitWorkflow', new DibsError('STORE_UNAVAILABLE', 'Redis is loading.'));
    await client.submit(ECHO);
    expect(server.calls).toEqual(['submitWorkflow', 'submitWorkflow']);
    expect(server.store.workflows.size).toBe(1);
  });

  it('gives up after a few tries and says that nobody answered', async () => {
    server.kill();
    await expect(client.get('wf_1')).rejects.toMatchObject({
      name: 'DibsError',
      code: 14,
      reason: 'UNAVAILABLE',
    });
  });

  it('waits for a coordinator that restarts, for as long as the call may take', async () => {
    const { workflow } = await client.submit(ECHO);
    server.kill();
    const reading = client.get(workflow.id);
    await expect(client.get(workflow.id, { timeoutMs: 300 })).rejects.toMatchObject({ code: 14 });
    await server.restart();
    expect(await reading).toMatchObject({ id: workflow.id });
  });

  it('goes to another address when the first is gone', async () => {
    const two = createClient({ address: ['127.0.0.1:1', server.address] });
    const { workflow } = await two.submit(ECHO);
    expect(workflow.id).toMatch(/^wf_/);
    two.close();
  });

  it('keeps reason and problems of a refusal', async () => {
    await expect(client.submit({ steps: [] })).rejects.toMatchObject({
      reason: 'INVALID_WORKFLOW',
      code: 3,
      problems: [{ path: 'steps', reason: 'REQUIRED' }],
    });
    await expect(client.get('wf_nope')).rejects.toMatchObject({ reason: 'WORKFLOW_NOT_FOUND', code: 5 });
  });

  it('refuses what is not a workflow with every problem; the coordinator is only asked to check the rest', async () => {
    const wrong = { steps: [{ type: 7, depends_on: ['a'], timeout: 'soon' }] };
    await expect(client.submit(wrong as never)).rejects.toMatchObject({
      reason: 'INVALID_WORKFLOW',
      problems: [{ path: 'steps[0].type' }, { path: 'steps[0].depends_on' }, { path: 'steps[0].timeout' }],
    });
    expect(server.calls).toEqual(['submitWorkflow']);
    const stored = [];
    for await (const workflow of client.list()) stored.push(workflow.id);
    expect(stored).toEqual([]);
  });

  it('says when a request id was used before', async () => {
    const first = await client.submit(ECHO, { requestId: 'r1' });
    const second = await client.submit(ECHO, { requestId: 'r1' });
    expect(second).toMatchObject({ duplicate: true, workflow: { id: first.workflow.id } });
    await expect(client.submit({ steps: [{ type: 'x' }] }, { requestId: 'r1' })).rejects.toMatchObject({
      code: 6,
    });
  });

  it('waits for the end, over an outage', async () => {
    const { workflow } = await client.submit(ECHO);
    server.failNext('getWorkflow', ...Array.from({ length: 6 }, () => new DibsError('DRAINING', 'leaving')));
    const waiting = client.wait(workflow.id);
    server.store.end(workflow.id, 'succeeded');
    await expect(waiting).resolves.toMatchObject({ status: 'succeeded', steps: [{ output: { n: 0 } }] });
  });

  it('stops waiting after the time it was given', async () => {
    const { workflow } = await client.submit(ECHO);
    await expect(client.wait(workflow.id, { timeoutMs: 30 })).rejects.toBeInstanceOf(WaitTimeoutError);
  });

  it('stops waiting on abort, with its reason', async () => {
    const { workflow } = await client.submit(ECHO);
    const abort = new AbortController();
    const waiting = client.wait(workflow.id, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('lists over pages', async () => {
    for (let index = 0; index < 5; index++)
      await client.submit({ ...ECHO, name: `n${index}`, tags: index % 2 ? ['odd'] : [] });
    const names = (await collect(client.list({ pageSize: 2 }))).map(({ name }) => name);
    expect(names).toEqual(['n4', 'n3', 'n2', 'n1', 'n0']);
    expect(server.calls.filter((method) => method === 'listWorkflows')).toHaveLength(3);
    expect((await collect(client.list({ filter: 'tag=odd' }))).map(({ name }) => name)).toEqual(['n3', 'n1']);
  });

  it('cancels, and takes its own repeat for success', async () => {
    const { workflow } = await client.submit(ECHO);
    expect(await client.cancel(workflow.id, { message: 'enough' })).toMatchObject({
      status: 'canceled',
      reason: 'CANCELED_BY_USER',
      message: 'enough',
    });
    await expect(client.cancel(workflow.id)).rejects.toMatchObject({ reason: 'WRONG_STATE' });
    server.failNext('cancelWorkflow', new DibsError('DRAINING', 'stored, but the answer was lost'));
    expect(await client.cancel(workflow.id)).toMatchObject({ status: 'canceled' });
  });

  it('gives the output of the last step, of a named one, of all', async () => {
    server.store.endAtOnce = true;
    const two = { steps: [{ type: 'a', name: 'first' }, { type: 'b' }] };
    expect(await client.submitAndGetOutput(two)).toEqual({ n: 1 });
    expect(await client.submitAndGetOutput(two, { step: 'first' })).toEqual({ n: 0 });
    expect(await client.submitAndGetOutputs(two)).toEqual({ first: { n: 0 }, 1: { n: 1 } });
  });

  it('throws what failed and why', async () => {
    server.store.on('stored', (id: string) => {
      server.store.end(id, 'failed', { reason: 'STEP_FAILED', message: 'a step failed' }, 'only');
    });
    const failure = client.submitAndGetOutput(ECHO);
    await expect(failure).rejects.toBeInstanceOf(WorkflowFailedError);
    await expect(failure).rejects.toMatchObject({
      status: 'failed',
      reason: 'STEP_FAILED',
      failedStep: 'only',
    });
    await expect(failure).rejects.toThrow('at step "only": EXECUTOR_ERROR: it broke');
  });

  it('reads queues and agents', async () => {
    expect(await collect(client.queues())).toMatchObject([
      { name: 'value.echo', waiting: 3, requirement: null },
    ]);
    expect(await collect(client.agents())).toMatchObject([
      {
        id: 'agent_1',
        status: 'connected',
        types: ['value.echo'],
        labels: { zone: 'a' },
        slots: 4,
        hardware: null,
      },
    ]);
  });
});
