/** The real program: signals, exit codes, the control socket, the lock. */
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startProc } from '../../support/proc.ts';
import type { Proc } from '../../support/proc.ts';
import { tokenOf } from '../../support/fake-coordinator.ts';
import { hold, startAgentProcess } from './support/agent-process.ts';
import { startCoordinator, tempFolder } from './support/rig.ts';

function cli(folder: string, ...args: string[]): Proc {
  const proc = startProc('cli/dibs-agent.ts', { args: [...args, '--state-dir', join(folder, 'state')] });
  onTestFinished(() => proc.end());
  return proc;
}

describe('SIGTERM', () => {
  it('drains: says so, asks for nothing more, finishes what runs, exits 0', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder);
    const session = await coordinator.session();
    const { release } = await hold(session, folder, 'job_1');
    proc.signal('SIGTERM');
    const { drain } = await session.messages.find((up) => up.drain !== null);
    expect(drain).toMatchObject({ reason: 'SIGTERM', deadlineMs: 600_000 });
    await session.credits(({ total }) => total === 0);
    session.offer({ jobId: 'job_2', type: 'test.hold' });
    expect((await session.named('released', 'job_2')).released).toMatchObject([{ reason: 'DRAINING' }]);
    await release();
    await session.completion('job_1');
    expect(await proc.exit()).toEqual({ code: 0, signal: null });
    expect(session.completions).toHaveLength(1);
  });

  it('twice hands back at once', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder);
    const session = await coordinator.session();
    await hold(session, folder, 'job_1');
    proc.signal('SIGTERM');
    await session.messages.find((up) => up.drain !== null);
    proc.signal('SIGTERM');
    expect((await session.named('released', 'job_1')).released).toMatchObject([
      { jobId: 'job_1', token: tokenOf('job_1'), reason: 'SHUTDOWN' },
    ]);
    expect(await proc.exit()).toEqual({ code: 130, signal: null });
    expect(session.completions).toEqual([]);
  });

  it.each(['test.spin', 'test.grind'])(
    'twice hands back what %s blocks, and ends all the same',
    async (type) => {
      const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
      const proc = await startAgentProcess(coordinator, folder);
      const session = await coordinator.session();
      const inputJson = JSON.stringify({ until: join(folder, 'never') });
      session.offer({ jobId: 'job_1', type, inputJson });
      await session.named('accepted', 'job_1');
      proc.signal('SIGTERM');
      await session.messages.find((up) => up.drain !== null);
      proc.signal('SIGTERM');
      const said: string[] = [];
      await Promise.all([
        session.named('released', 'job_1').then(() => said.push('released')),
        proc.exit().then(({ code }) => said.push(`exit ${code}`)),
      ]);
      expect(said).toEqual(['released', 'exit 130']);
    },
  );

  it('hands back when the drain deadline passes', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder, ['--drain-timeout', '50ms']);
    const session = await coordinator.session();
    await hold(session, folder, 'job_1');
    proc.signal('SIGTERM');
    expect((await session.named('released', 'job_1')).released).toMatchObject([{ reason: 'SHUTDOWN' }]);
    expect(await proc.exit()).toEqual({ code: 124, signal: null });
  });
});

describe('leaving by itself', () => {
  it('after one job', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder, ['--exit-after-job']);
    const session = await coordinator.session();
    expect(await session.credits(() => true)).toMatchObject({ total: 1 });
    session.offer({ jobId: 'job_1', type: 'value.echo', inputJson: '{"n":1}' });
    expect(await session.completion('job_1')).toMatchObject({ outputJson: '{"n":1}' });
    expect(await proc.exit()).toEqual({ code: 0, signal: null });
  });

  it('after a time without work', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder, ['--exit-after-idle', '10ms']);
    expect(await proc.exit()).toEqual({ code: 0, signal: null });
  });

  it('when its credential is refused, with 77', async () => {
    const [coordinator, folder] = [await startCoordinator({ token: 'right' }), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder, ['--token', 'wrong']);
    expect(await proc.exit()).toEqual({ code: 77, signal: null });
  });
});

describe('the control socket', () => {
  it('shows what the agent does, pauses it, and ends it', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const proc = await startAgentProcess(coordinator, folder);
    const session = await coordinator.session();
    await session.credits(({ total }) => total > 0);
    const shown = await cli(folder, 'status', '-o', 'json').json<{ state: string; agentId: string }>();
    expect(shown).toMatchObject({
      state: 'serving',
      agentId: session.hello.agentId,
      link: { state: 'live' },
    });
    await cli(folder, 'pause').line(/state\s+paused/);
    await session.credits(({ total }) => total === 0);
    await cli(folder, 'stop').exitsWith(0);
    expect(await proc.exit()).toEqual({ code: 130, signal: null });
    const last = JSON.parse(await readFile(join(folder, 'state', 'status.json'), 'utf8')) as {
      state: string;
    };
    expect(last.state).toBe('closing');
    await cli(folder, 'status').exitsWith(5);
  });

  it('is the proof of life: a second agent with the same folder is refused, one after a kill is not', async () => {
    const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
    const first = await startAgentProcess(coordinator, folder);
    const { hello } = await coordinator.session(0);
    const second = await startAgentProcess(coordinator, folder);
    await second.exitsWith(6);
    expect(second.output).toContain('already runs with the state directory');
    await first.kill();
    await startAgentProcess(coordinator, folder);
    expect((await coordinator.session(1)).hello.agentId).toBe(hello.agentId);
  });
});

describe('an agent that is frozen', () => {
  it.runIf(process.platform === 'linux')(
    'keeps its state directory: no second one takes its name',
    async () => {
      const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
      const first = await startAgentProcess(coordinator, folder);
      await coordinator.session();
      await first.line(/agent is up/);
      await utimes(join(folder, 'state', 'agent.lock'), 1_000_000, 1_000_000);
      first.signal('SIGSTOP');
      const second = await startAgentProcess(coordinator, folder);
      await second.exitsWith(6);
      expect(second.output).toContain('already runs with the state directory');
      first.signal('SIGCONT');
      first.signal('SIGTERM');
      await first.exitsWith(0);
    },
  );
});

describe('a configuration that cannot be used', () => {
  it('ends with 78 and names every mistake', async () => {
    const proc = startProc('cli/dibs-agent.ts', {
      args: ['start', '--slots', 'many', '--drain-timeout', '10', '--coordinator', 'x:y'],
    });
    expect(await proc.exit()).toEqual({ code: 78, signal: null });
    expect(proc.output).toMatch(/slots .*auto or a whole number/);
    expect(proc.output).toMatch(/drain-timeout .*duration/);
  });
});
