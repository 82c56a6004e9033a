/** One session: hello, offers, what is said about jobs, credits, cancels. */
import { describe, expect, it } from 'vitest';
import { Verdict } from '../../../proto/gen/index.ts';
import { State } from '../../../sdk/common/states.ts';
import { tokenOf } from '../../support/fake-coordinator.ts';
import { ECHO } from './support/scripted-host.ts';
import { startAgent, startCoordinator } from './support/rig.ts';

describe('hello', () => {
  it('says who the agent is, what it can do and that it holds nothing', async () => {
    const coordinator = await startCoordinator({ token: 'secret' });
    const { folder } = await startAgent([coordinator], {
      config: { labels: { zone: 'eu' }, slots: 3, token: { token: 'secret', file: '' } },
    });
    const { hello } = await coordinator.session();
    expect(hello.agentId).toMatch(/^agent_/);
    expect(hello.bootId).toMatch(/^boot_/);
    expect(hello).toMatchObject({ name: 'test-agent', protocolRevision: 1, held: [] });
    expect(hello.advertisement).toMatchObject({ labels: { zone: 'eu' }, slots: 3 });
    expect(hello.advertisement?.executors).toMatchObject([
      { type: 'test.echo', concurrency: 2, isolation: 'process' },
    ]);
    expect(hello.advertisement?.hardware).toMatchObject({ platform: process.platform, arch: process.arch });
    expect(hello.advertisement?.hardware?.memoryBytes).toBeGreaterThan(0);
    expect(folder).not.toBe('');
  });

  it('leaves out what the box cannot run, and says so in its status', async () => {
    const coordinator = await startCoordinator();
    const { agent } = await startAgent([coordinator], {
      executors: [ECHO, { ...ECHO, type: 'test.gpu', gpus: 99 }],
    });
    const { hello } = await coordinator.session();
    expect(hello.advertisement?.executors.map(({ type }) => type)).toEqual(['test.echo']);
    expect(agent.status().notOffered).toMatchObject([
      { type: 'test.gpu', reason: expect.stringContaining('needs 99 GPUs') as string },
    ]);
  });
});

describe('a job', () => {
  it('that ends soon is one message: its completion, without accept and start', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator]);
    host.onRun = (job) => {
      job.hooks.started();
      job.succeed('{"n":1}', 2.5);
    };
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    const completion = await session.completion('job_1');
    expect(completion).toMatchObject({
      token: tokenOf('job_1'),
      verdict: Verdict.VERDICT_SUCCEEDED,
      outputJson: '{"n":1}',
      outcome: null,
      runMs: 2.5,
    });
    expect(completion.startedAgeMs).toBeLessThanOrEqual(0);
    const said = session.messages.seen.filter(
      ({ accepted, started }) => accepted.length + started.length > 0,
    );
    expect(said).toEqual([]);
  });

  it('that lasts is accepted and started in one message', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator]);
    host.onRun = (job) => job.hooks.started();
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    const message = await session.named('accepted', 'job_1');
    expect(message.started).toMatchObject([{ jobId: 'job_1', token: tokenOf('job_1') }]);
    expect(message.started[0]?.ageMs).toBeLessThan(0);
  });

  it('that waits in the local queue is accepted too, and started later', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator], {
      config: { prefetch: 1 },
      executors: [{ ...ECHO, concurrency: 1 }],
    });
    host.onRun = (job) => job.hooks.started();
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    await session.named('accepted', 'job_2');
    expect(host.jobs.map(({ request }) => request.jobId)).toEqual(['job_1']);
    (await host.job('job_1')).succeed();
    await session.named('started', 'job_2');
  });

  it('that fails says why', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    (await host.job('job_1')).end({
      verdict: 'retryable',
      reason: 'OUT_OF_MEMORY',
      message: 'no memory',
      blockedReason: 'x',
    });
    (await host.job('job_2')).end({ verdict: 'timed_out', reason: 'DEADLINE_EXCEEDED_RUNNING' });
    expect(await session.completion('job_1')).toMatchObject({
      verdict: Verdict.VERDICT_RETRYABLE,
      outcome: { reason: 'OUT_OF_MEMORY', message: 'no memory' },
      blockedReason: 'x',
    });
    expect(await session.completion('job_2')).toMatchObject({ verdict: Verdict.VERDICT_TIMED_OUT });
  });

  it('whose output is larger than the coordinator takes fails for good', async () => {
    const coordinator = await startCoordinator({ welcome: () => ({ maxOutputBytes: 100 }) });
    const { host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    (await host.job('job_1')).succeed(JSON.stringify('é'.repeat(60)));
    expect(await session.completion('job_1')).toMatchObject({
      verdict: Verdict.VERDICT_FATAL,
      outputJson: '',
      outcome: { reason: 'OUTPUT_TOO_LARGE' },
    });
  });

  it('reports progress (the latest), chunks (in order) and further jobs before it completes', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    job.hooks.started();
    job.hooks.progress(0.1, 'one');
    job.hooks.progress(0.5, 'five');
    job.hooks.chunk(0, 'Hello ');
    job.hooks.chunk(1, 'world');
    const { progress } = await session.named('progress', 'job_1');
    expect(progress).toMatchObject([{ fraction: 0.5, message: 'five' }]);
    const { chunks } = await session.named('chunks', 'job_1');
    expect(chunks.map(({ index, data }) => [index, data])).toEqual([
      [0, 'Hello '],
      [1, 'world'],
    ]);
    await job.hooks.emitJobs(1, ['{"a":1}', '{"a":2}']);
    job.succeed();
    const { emitted, completed } = await session.named('emitted', 'job_1');
    expect(emitted).toMatchObject([{ batch: 1, inputsJson: ['{"a":1}', '{"a":2}'] }]);
    expect(completed.length).toBeLessThanOrEqual(1);
    await session.completion('job_1');
  });
});

describe('an offer', () => {
  it('the agent cannot run is handed back with the reason', async () => {
    const coordinator = await startCoordinator();
    await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1', type: 'other.type' });
    expect((await session.named('released', 'job_1')).released).toMatchObject([
      { jobId: 'job_1', token: tokenOf('job_1'), reason: 'UNKNOWN_TYPE' },
    ]);
  });

  it('beyond what was asked for is handed back', async () => {
    const coordinator = await startCoordinator();
    await startAgent([coordinator], { config: { prefetch: 0, slots: 4 } });
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' }, { jobId: 'job_2' }, { jobId: 'job_3' });
    expect((await session.named('released', 'job_3')).released).toMatchObject([{ reason: 'NO_SLOT' }]);
  });

  it('that comes twice runs once', async () => {
    const coordinator = await startCoordinator({ autoAck: false });
    const { host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    session.offer({ jobId: 'job_1' });
    (await host.job('job_1')).succeed();
    await session.completion('job_1');
    session.offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    await host.job('job_2');
    expect(host.jobs.map(({ request }) => request.jobId)).toEqual(['job_1', 'job_2']);
  });

  it('with a new token for a job that runs ends the old claim and begins anew', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator], {
      config: { slots: 4 },
      executors: [{ ...ECHO, concurrency: 4 }],
    });
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1', token: 'old' });
    const old = await host.job('job_1');
    session.offer({ jobId: 'job_1', token: 'new' }, { jobId: 'job_2' });
    await host.job('job_2');
    old.succeed('"old"');
    host.jobs.find(({ request }) => request.token === 'new')?.succeed('"new"');
    expect(await session.completion('job_1')).toMatchObject({ token: 'new', outputJson: '"new"' });
    expect(old.canceled).toEqual(['lease_lost']);
  });
});

describe('credits', () => {
  it('ask for free capacity, and count the offers seen', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator], { config: { slots: 2, prefetch: 0 } });
    const session = await coordinator.session();
    expect(await session.credits(() => true)).toMatchObject({
      total: 2,
      byType: { 'test.echo': 2 },
      offersSeen: 0,
    });
    session.offer({ jobId: 'job_1' });
    (await host.job('job_1')).succeed();
    expect(await session.credits(({ offersSeen }) => offersSeen === 1)).toMatchObject({ total: 2 });
  });

  it('go to zero when an operator pauses the agent, and come back', async () => {
    const coordinator = await startCoordinator();
    const { agent } = await startAgent([coordinator], { config: { prefetch: 0 } });
    const session = await coordinator.session();
    await session.credits(({ total }) => total > 0);
    session.send({ control: { action: 'pause', note: 'maintenance' } });
    const { revision } = await session.credits(({ total }) => total === 0);
    expect(agent.status().state).toBe('paused');
    session.offer({ jobId: 'job_1' });
    expect((await session.named('released', 'job_1')).released).toMatchObject([{ reason: 'PAUSED' }]);
    session.send({ control: { action: 'resume', note: '' } });
    await session.credits((credits) => credits.revision > revision && credits.total > 0);
  });
});

describe('a cancel', () => {
  it('stops exactly that claim', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    const [one, two] = [await host.job('job_1'), await host.job('job_2')];
    session.cancel('job_1', 'user', 'another token');
    session.cancel('job_9');
    session.cancel('job_1', 'fail_fast');
    session.offer({ jobId: 'job_3', type: 'other' });
    await session.named('released', 'job_3');
    expect([one.canceled, two.canceled]).toEqual([['fail_fast'], []]);
    one.end({ verdict: 'canceled', reason: 'FAIL_FAST' });
    expect(await session.completion('job_1')).toMatchObject({ verdict: Verdict.VERDICT_CANCELED });
  });

  it('of a job that has not started ends it without running it', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator], {
      config: { prefetch: 1 },
      executors: [{ ...ECHO, concurrency: 1 }],
    });
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    await host.job('job_1');
    session.cancel('job_2');
    expect(await session.completion('job_2')).toMatchObject({
      verdict: Verdict.VERDICT_CANCELED,
      outcome: { reason: 'CANCELED_BY_USER' },
    });
    expect(host.jobs).toHaveLength(1);
  });

  it('because the lease is lost is not answered', async () => {
    const coordinator = await startCoordinator();
    const { agent, host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    session.cancel('job_1', 'lease_lost');
    session.offer({ jobId: 'job_2' });
    (await host.job('job_2')).succeed();
    job.succeed();
    await session.completion('job_2');
    expect(job.canceled).toEqual(['lease_lost']);
    expect(session.completions.map(({ jobId }) => jobId)).toEqual(['job_2']);
    expect(agent.status().jobs.held).toBe(0);
  });
});

describe('heartbeats', () => {
  it('name every held job and unconfirmed result, with load and throughput', async () => {
    const coordinator = await startCoordinator({
      autoAck: false,
      welcome: () => ({ heartbeatIntervalMs: 100 }),
    });
    const { host } = await startAgent([coordinator], {
      config: { prefetch: 1 },
      executors: [{ ...ECHO, concurrency: 1 }],
    });
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1', cost: 4 });
    const one = await host.job('job_1');
    one.hooks.started();
    one.succeed('1', 500);
    await session.completion('job_1');
    session.offer({ jobId: 'job_2' }, { jobId: 'job_3' });
    (await host.job('job_2')).hooks.started();
    const { heartbeat } = await session.messages.find((up) => up.heartbeat?.held.length === 3);
    expect(heartbeat?.held.map(({ jobId, token, state }) => [jobId, token, state])).toEqual([
      ['job_2', tokenOf('job_2'), State.processing],
      ['job_3', tokenOf('job_3'), State.scheduled],
      ['job_1', tokenOf('job_1'), State.succeeded],
    ]);
    expect(heartbeat?.throughput).toMatchObject([{ type: 'test.echo', costPerSecond: 8, samples: 1 }]);
    expect(heartbeat?.telemetry).toMatchObject({ running: 1, waiting: 1 });
    expect(heartbeat?.telemetry?.memoryTotalBytes).toBeGreaterThan(0);
  });
});
