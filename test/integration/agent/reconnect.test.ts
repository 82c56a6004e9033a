/** What survives the end of a session, of a coordinator and of the agent itself. */
import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { confirmAll, tokenOf } from '../../support/fake-coordinator.ts';
import { State } from '../../../sdk/common/states.ts';
import { startAgent, startCoordinator, tempFolder } from './support/rig.ts';

describe('a finished result', () => {
  it('is sent again in each session until it is acknowledged, and then no more', async () => {
    const coordinator = await startCoordinator({ autoAck: false });
    const { agent, host } = await startAgent([coordinator]);
    const first = await coordinator.session(0);
    first.offer({ jobId: 'job_1' });
    (await host.job('job_1')).succeed('"mine"');
    const sent = await first.completion('job_1');
    first.fail();

    const second = await coordinator.session(1);
    expect(second.hello.held).toMatchObject([
      { jobId: 'job_1', token: tokenOf('job_1'), state: State.succeeded },
    ]);
    const again = await second.completion('job_1');
    expect(again).toMatchObject({ jobId: 'job_1', token: sent.token, outputJson: '"mine"' });
    expect(again.startedAgeMs).toBeLessThanOrEqual(sent.startedAgeMs);
    second.ack(again);
    await until('the ack to arrive', () => agent.status().jobs.unconfirmed === 0);
    second.fail();

    const third = await coordinator.session(2);
    expect(third.hello.held).toEqual([]);
    third.offer({ jobId: 'job_2' });
    (await host.job('job_2')).succeed();
    await third.completion('job_2');
    expect(third.completions.map(({ jobId }) => jobId)).toEqual(['job_2']);
    expect(second.completions).toHaveLength(1);
  });

  it('that is refused is forgotten and counted as wasted', async () => {
    const coordinator = await startCoordinator({ autoAck: false });
    const { agent, host } = await startAgent([coordinator]);
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    (await host.job('job_1')).succeed();
    const { jobId, token } = await session.completion('job_1');
    session.ack({ jobId, token, refused: 'LEASE_LOST' });
    await until('the refusal to arrive', () => agent.status().jobs.wasted === 1);
    expect(agent.status().jobs.unconfirmed).toBe(0);
  });

  it('that the coordinator calls lost at hello is sent all the same: only an ack settles it', async () => {
    const coordinator = await startCoordinator({
      autoAck: false,
      welcome: (hello) => ({
        ...confirmAll(hello),
        confirmedJobIds: [],
        lostJobIds: hello.held.map(({ jobId }) => jobId),
      }),
    });
    const { agent, host } = await startAgent([coordinator]);
    const first = await coordinator.session();
    first.offer({ jobId: 'job_1' });
    (await host.job('job_1')).succeed();
    await first.completion('job_1');
    first.fail();
    const second = await coordinator.session(1);
    second.ack(await second.completion('job_1'));
    await until('the ack to arrive', () => agent.status().jobs.unconfirmed === 0);
    expect(agent.status().jobs.wasted).toBe(0);
  });

  it('made while nobody is connected is delivered later', async () => {
    const coordinator = await startCoordinator();
    const { agent, host } = await startAgent([coordinator]);
    const first = await coordinator.session();
    first.offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    coordinator.stop();
    await until('the link to notice', () => agent.status().link.state !== 'live');
    job.succeed('"late"');
    const next = await startCoordinator({ port: coordinator.port });
    const second = await next.session();
    expect(await second.completion('job_1')).toMatchObject({ outputJson: '"late"' });
  });

  it('outlives the agent process on disk', async () => {
    const folder = await tempFolder();
    const coordinator = await startCoordinator({ autoAck: false });
    const first = await startAgent([coordinator], { folder });
    const session = await coordinator.session();
    session.offer({ jobId: 'job_1' });
    (await first.host.job('job_1')).succeed('"kept"');
    await session.completion('job_1');
    first.agent.force('a crash, nearly');
    await first.agent.ended;

    const { agent } = await startAgent([coordinator], { folder });
    const second = await coordinator.session(1);
    expect(second.hello.agentId).toBe(session.hello.agentId);
    expect(second.hello.bootId).not.toBe(session.hello.bootId);
    expect(second.hello.held).toMatchObject([{ jobId: 'job_1', state: State.succeeded }]);
    const again = await second.completion('job_1');
    expect(again.outputJson).toBe('"kept"');
    second.ack(again);
    await until('the ack to arrive', () => agent.status().jobs.unconfirmed === 0);
  });
});

describe('a running job', () => {
  it('is named in the next hello, and its accept and start are said again', async () => {
    const coordinator = await startCoordinator();
    const { host } = await startAgent([coordinator]);
    const first = await coordinator.session();
    first.offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    job.hooks.started();
    first.autoAck = false;
    const stored = job.hooks.emitJobs(1, ['1']);
    await first.named('emitted', 'job_1');
    first.fail();
    const second = await coordinator.session(1);
    expect(second.hello.held).toMatchObject([
      { jobId: 'job_1', token: tokenOf('job_1'), state: State.processing },
    ]);
    const { started, emitted } = await second.named('started', 'job_1');
    expect(started[0]?.ageMs).toBeLessThan(0);
    expect(emitted).toMatchObject([{ jobId: 'job_1', batch: 1, inputsJson: ['1'] }]);
    await stored;
    job.succeed();
    await second.completion('job_1');
    expect(job.canceled).toEqual([]);
  });

  it('that the coordinator no longer confirms is aborted and never spoken of again', async () => {
    const coordinator = await startCoordinator({
      welcome: (hello) => ({ ...confirmAll(hello), confirmedJobIds: ['job_2'], lostJobIds: ['job_1'] }),
    });
    const { agent, host } = await startAgent([coordinator]);
    const first = await coordinator.session();
    first.offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    const [one, two] = [await host.job('job_1'), await host.job('job_2')];
    first.fail();
    const second = await coordinator.session(1);
    await second.named('accepted', 'job_2');
    expect([one.canceled, two.canceled]).toEqual([['lease_lost'], []]);
    one.succeed();
    two.succeed();
    await second.completion('job_2');
    expect(second.completions.map(({ jobId }) => jobId)).toEqual(['job_2']);
    await until('the waste to be counted', () => agent.status().jobs.wasted === 1);
  });
});

describe('a coordinator that drains', () => {
  it('is left for another without losing a job', async () => {
    const [one, two] = [await startCoordinator(), await startCoordinator()];
    const { host } = await startAgent([one, two]);
    const first = await one.session();
    first.offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    first.send({ drain: true });
    await first.ended;
    const second = await two.session();
    expect(second.hello.held).toMatchObject([{ jobId: 'job_1' }]);
    job.succeed('"moved"');
    expect(await second.completion('job_1')).toMatchObject({ outputJson: '"moved"' });
  });

  it('or that goes away without ending its streams is left as well', async () => {
    const [one, two] = [await startCoordinator(), await startCoordinator()];
    const { host } = await startAgent([one, two]);
    const first = await one.session();
    first.offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    one.stopWithoutEnding();
    const second = await two.session();
    job.succeed();
    expect(await second.completion('job_1')).toMatchObject({ token: tokenOf('job_1') });
  });

  it('and that cannot be reached is passed over', async () => {
    const [dead, live] = [await startCoordinator(), await startCoordinator()];
    dead.stop();
    const { agent } = await startAgent([dead, live]);
    await live.session();
    await until('the link to be live', () => agent.status().link.state === 'live');
    expect(agent.status().link).toEqual({ state: 'live', coordinator: live.address, lastError: '' });
  });
});

describe('a credential', () => {
  it('that is refused ends the agent with 77', async () => {
    const coordinator = await startCoordinator({ token: 'right' });
    const { agent } = await startAgent([coordinator], { config: { token: { token: 'wrong', file: '' } } });
    expect(await agent.ended).toMatchObject({
      exitCode: 77,
      reason: expect.stringContaining('no such agent') as string,
    });
  });
});
