/** No finished work is lost and no lease is kept in vain: what the agent does while its coordinator is away. */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { State } from '../../../sdk/common/states.ts';
import { confirmAll, tokenOf } from '../../support/fake-coordinator.ts';
import { until } from '../../support/until.ts';
import { hold, startAgentProcess } from './support/agent-process.ts';
import { startAgent, startCoordinator, tempFolder } from './support/rig.ts';

const LEASE_MS = 300;

describe('a result made while no coordinator is there', () => {
  it('survives kill -9 of the agent', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder);
    const session = await coordinator.session();
    const { release } = await hold(session, folder, 'job_1');
    coordinator.stop();
    await proc.line(/connection ended/);
    await release();
    const spool = join(folder, 'state', 'spool');
    // Whole: it is written beside, then renamed.
    await until('the result to be on disk', async () =>
      (await readdir(spool)).some((name) => name.endsWith('.json')),
    );
    await proc.kill();

    const next = await startCoordinator({ port: coordinator.port });
    await startAgentProcess(next, folder);
    const second = await next.session();
    expect(second.hello.held).toMatchObject([
      { jobId: 'job_1', token: tokenOf('job_1'), state: State.succeeded },
    ]);
    expect(await second.completion('job_1')).toMatchObject({ outputJson: '{"held":true}' });
    await until('the file to go with the ack', async () => (await readdir(spool)).length === 0);
  });

  it('stays in memory when the disk takes nothing, and the agent goes on', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder);
    const { release } = await hold(await coordinator.session(), folder, 'job_1');
    const spool = join(folder, 'state', 'spool');
    await rm(spool, { recursive: true });
    await writeFile(spool, 'no folder');
    coordinator.stop();
    await proc.line(/connection ended/);
    await release();
    await proc.line(/results cannot be kept on disk/);

    const next = await startCoordinator({ port: coordinator.port });
    const second = await next.session();
    expect(await second.completion('job_1')).toMatchObject({ outputJson: '{"held":true}' });
    second.offer({ jobId: 'job_2', type: 'value.echo', inputJson: '2' });
    expect(await second.completion('job_2')).toMatchObject({ outputJson: '2' });
    expect(await readFile(spool, 'utf8')).toBe('no folder');
  });

  it('is delivered by an agent that drains meanwhile, if one comes soon', async () => {
    const coordinator = await startCoordinator();
    const { agent, host } = await startAgent([coordinator]);
    (await coordinator.session()).offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    coordinator.stop();
    await until('the link to notice', () => agent.status().link.state !== 'live');
    agent.drain('SIGTERM');
    job.succeed('"last"');
    const next = await startCoordinator({ port: coordinator.port });
    expect(await (await next.session()).completion('job_1')).toMatchObject({ outputJson: '"last"' });
    expect(await agent.ended).toMatchObject({ exitCode: 0 });
  });
});

describe('a lease', () => {
  it('is released by an agent that hands back between two connections', async () => {
    const coordinator = await startCoordinator();
    const { agent, host } = await startAgent([coordinator]);
    (await coordinator.session()).offer({ jobId: 'job_1' });
    await host.job('job_1');
    coordinator.stop();
    await until('the link to notice', () => agent.status().link.state !== 'live');
    const next = await startCoordinator({ port: coordinator.port });
    agent.force('SIGTERM');
    const second = await next.session();
    expect((await second.named('released', 'job_1')).released).toMatchObject([
      { token: tokenOf('job_1'), reason: 'SHUTDOWN' },
    ]);
    expect(await agent.ended).toMatchObject({ exitCode: 130 });
  });
});

describe('no coordinator for a whole lease', () => {
  const welcome = (hello: Parameters<typeof confirmAll>[0]) => ({ ...confirmAll(hello), leaseMs: LEASE_MS });

  it('ends the agent with 7 where its owner wants that', async () => {
    const coordinator = await startCoordinator({ welcome });
    const { agent, host } = await startAgent([coordinator], { config: { onCoordinatorLost: 'stop' } });
    (await coordinator.session()).offer({ jobId: 'job_1' });
    const job = await host.job('job_1');
    coordinator.stop();
    expect(await agent.ended).toMatchObject({ exitCode: 7 });
    expect(job.canceled).toEqual(['shutdown']);
  });

  it('else drops what waits, finishes what runs, and keeps its result', async () => {
    const coordinator = await startCoordinator({ welcome });
    const { agent, host } = await startAgent([coordinator], { config: { slots: 1, prefetch: 1 } });
    (await coordinator.session()).offer({ jobId: 'job_1' }, { jobId: 'job_2' });
    const job = await host.job('job_1');
    coordinator.stop();
    await until('the waiting job to be dropped', () => agent.status().jobs.held === 1);
    expect(job.canceled).toEqual([]);
    job.succeed('"worth it"');
    const next = await startCoordinator({ port: coordinator.port });
    const second = await next.session();
    expect(second.hello.held).toMatchObject([{ jobId: 'job_1' }]);
    expect(await second.completion('job_1')).toMatchObject({ outputJson: '"worth it"' });
    expect(host.jobs.map(({ request }) => request.jobId)).toEqual(['job_1']);
  });
});

describe('a spool with a file that is no result', () => {
  it('does not keep the agent from starting', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const spool = join(folder, 'state', 'spool');
    await mkdir(spool, { recursive: true });
    await writeFile(join(spool, 'odd.json'), '{"jobId":"job_1"');
    const proc = await startAgentProcess(coordinator, folder);
    await proc.line(/cannot be read; it is set aside/);
    expect((await coordinator.session()).hello.held).toEqual([]);
    expect(await readdir(spool)).toEqual(['odd.json.bad']);
  });
});
