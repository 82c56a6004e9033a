/** Process isolation: children are separate, supervised, kept warm, and leave nothing behind. */
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactReference } from '../../../agent/jobs/contract.ts';
import { fixture, isAlive, openBench, untilGone, type Bench, type Job } from './harness.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench([fixture('behaviours')]);
});
afterEach(() => bench[Symbol.asyncDispose]());

interface Output extends ArtifactReference {
  readonly pid: number;
  readonly names: readonly string[];
  readonly path: string;
  readonly workdir: string;
  readonly gpu: string;
}

const output = async (job: Job): Promise<Output> => {
  const result = await job.done;
  expect(result).toMatchObject({ verdict: 'succeeded' });
  return JSON.parse(result.outputJson) as Output;
};

describe('children', () => {
  it('are kept warm between jobs and used one job at a time', async () => {
    const first = await output(bench.run('test.pid'));
    expect(first.pid).not.toBe(process.pid);
    const [second, third] = await Promise.all([output(bench.run('test.pid')), output(bench.run('test.pid'))]);
    expect([second, third]).toEqual([
      { pid: first.pid, jobs: 2 },
      { pid: first.pid, jobs: 3 },
    ]);
    expect(bench.host.processes()).toEqual([{ pid: first.pid, type: 'test.pid', jobId: '' }]);
  });

  it('get an environment by allow-list', async () => {
    process.env['DIBS_TEST_SECRET'] = 'x';
    process.env['DIBS_TEST_DECLARED'] = 'y';
    const { names, path } = await output(bench.run('test.environment'));
    delete process.env['DIBS_TEST_SECRET'];
    delete process.env['DIBS_TEST_DECLARED'];
    expect(names).toContain('DIBS_TEST_DECLARED');
    expect(names).not.toContain('DIBS_TEST_SECRET');
    expect(names).not.toContain('NODE_CHANNEL_FD');
    expect(path).toBe(process.env['PATH']);
  });

  it('get the devices of their slot', async () => {
    await using two = await openBench([fixture('behaviours')], {
      slotEnvironment: (_type, slot) => ({ CUDA_VISIBLE_DEVICES: `GPU-${slot}` }),
    });
    const jobs = [two.run('test.environment'), two.run('test.environment')];
    expect((await Promise.all(jobs.map(output))).map(({ gpu }) => gpu).sort()).toEqual(['GPU-0', 'GPU-1']);
  });

  it('are set up, warmed up and torn down', async () => {
    await bench.run('test.lifecycle').done;
    await bench.host.stop();
    expect(bench.lines.map(({ message }) => message)).toEqual(['setup', 'warmup', 'run', 'teardown']);
  });

  it('that do not get ready in time are ended, and a job need not wait for that to be canceled', async () => {
    await using short = await openBench([fixture('behaviours')], { setupTimeoutMs: 500 });
    const [first, second] = [short.run('test.hangs'), short.run('test.hangs')];
    first.running.cancel('user');
    expect(await first.done).toMatchObject({ verdict: 'canceled', runMs: 0 });
    expect(await second.done).toMatchObject({
      verdict: 'retryable',
      reason: 'RESOURCE_ERROR',
      message: 'setup took longer than 500 ms',
    });
    expect(second.events).toEqual([]);
  });

  it('cannot flood the agent with lines or streamed text', async () => {
    await bench.run('test.chatty').done;
    const stream = bench.run('test.stream');
    await stream.done;
    await bench.host.stop();
    expect(bench.lines.length).toBeLessThan(2000);
    const chunks = stream.events.slice(1).map((event) => event.replace(/^chunk \d+ /, ''));
    expect(chunks.length).toBeLessThan(500);
    expect(chunks.join('')).toBe(Array.from({ length: 100_000 }, (_, i) => `${i},`).join(''));
  });

  it('that die while idle are replaced without a failed job', async () => {
    const { pid } = await output(bench.run('test.pid'));
    process.kill(pid, 'SIGKILL');
    expect((await output(bench.run('test.pid'))).pid).not.toBe(pid);
  });

  it('turn stdout, stderr and ctx.log into log lines of the job', async () => {
    const job = bench.run('test.talks');
    await job.done;
    await bench.host.stop();
    const about = (message: string) => bench.lines.find((line) => line.message === message);
    expect(about('on stdout')).toMatchObject({
      level: 'info',
      fields: { stream: 'stdout', executor: 'test.talks' },
    });
    expect(about('on stderr')).toMatchObject({ fields: { stream: 'stderr' } });
    expect(about('through ctx.log')).toMatchObject({
      level: 'warn',
      fields: { n: '1', error: { message: 'inner' } },
    });
  });

  it('are ended with the host, and with them their folders', async () => {
    const { pid } = await output(bench.run('test.pid'));
    const { workdir } = await output(bench.run('test.folder'));
    expect(existsSync(workdir)).toBe(false);
    await bench.host.stop();
    expect(isAlive(pid)).toBe(false);
    expect(bench.host.processes()).toEqual([]);
    expect(await readdir(join(bench.folder, 'work'))).toEqual([]);
  });

  it('are unloaded when idle', async () => {
    await using quick = await openBench([fixture('behaviours')], { idleUnloadMs: 20 });
    const { pid } = await output(quick.run('test.pid'));
    await untilGone([pid]);
    expect((await output(quick.run('test.pid'))).pid).not.toBe(pid);
  });

  it('are replaced when their healthcheck fails, and the job runs on the new one', async () => {
    const before = await output(bench.run('test.sickly', {}));
    expect(await bench.run('test.sickly', { fail: true }).done).toMatchObject({
      verdict: 'retryable',
      reason: 'EXECUTOR_ERROR',
    });
    const after = bench.run('test.sickly', {});
    expect((await output(after)).pid).not.toBe(before.pid);
    expect(after.events).toEqual(['started']);
  });
});

describe('artifacts', () => {
  it('travel to the child and back by path', async () => {
    const path = join(bench.folder, 'in.txt');
    await writeFile(path, 'grüße');
    const text = await bench.artifacts.store(path, { mediaType: 'text/plain' });
    const stored = await output(bench.run('test.upper', { text }));
    expect(stored).toMatchObject({ name: 'upper.txt', mediaType: 'text/plain', size: 7 });
    expect(await readFile(await bench.artifacts.fetch(stored), 'utf8')).toBe('GRÜSSE');
  });
});

describe('failures', () => {
  it.each([
    ['retryable', 'retryable', 'RATE_LIMITED', ''],
    ['invalid', 'fatal', 'INVALID_INPUT', ''],
    ['resource', 'retryable', 'RESOURCE_ERROR', ''],
    ['fatal', 'fatal', 'CONTENT_BLOCKED', 'policy 4'],
    ['memory', 'retryable', 'OUT_OF_MEMORY', ''],
    ['plain', 'retryable', 'EXECUTOR_ERROR', ''],
  ])('%s → %s %s', async (kind, verdict, reason, blockedReason) => {
    expect(await bench.run('test.throws', { kind }).done).toMatchObject({
      verdict,
      reason,
      blockedReason,
      outputJson: '',
    });
  });

  it('a crash is told with its last words, and the next job works', async () => {
    const crashed = await bench.run('test.exits', { die: true }).done;
    expect(crashed).toMatchObject({ verdict: 'retryable', reason: 'EXECUTOR_CRASHED' });
    expect(crashed.message).toBe("the executor's process exited with code 3: the last words");
    expect((await output(bench.run('test.exits', {}))).pid).toBeGreaterThan(0);
  });

  it('exit code 137 is memory', async () => {
    expect(await bench.run('test.exits', { die: true, code: 137 }).done).toMatchObject({
      reason: 'OUT_OF_MEMORY',
    });
  });

  it('a child that is killed from outside takes its job along, not its sibling', async () => {
    const [victim, sibling] = [bench.run('test.wait'), bench.run('test.wait')];
    const victimPid = Number(await victim.spoke);
    const siblingPid = Number(await sibling.spoke);
    process.kill(victimPid, 'SIGKILL');
    const result = await victim.done;
    expect(result).toMatchObject({ verdict: 'retryable', reason: 'EXECUTOR_CRASHED' });
    expect(result.message).toContain('SIGKILL');
    expect(isAlive(siblingPid)).toBe(true);
    sibling.running.cancel('user');
    expect(await sibling.done).toMatchObject({ verdict: 'canceled' });
  });

  it('setup that fails is a missing resource', async () => {
    expect(await bench.run('test.unstartable').done).toMatchObject({
      ...{ verdict: 'retryable', reason: 'RESOURCE_ERROR', message: 'model file is missing', runMs: 0 },
    });
  });

  it('an unknown type is a missing resource', async () => {
    expect(await bench.run('test.unknown').done).toMatchObject({
      verdict: 'retryable',
      reason: 'RESOURCE_ERROR',
    });
  });
});
