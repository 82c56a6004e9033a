/** The command executor: real programs, nothing left of them. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import type { ArtifactReference } from '../../../agent/jobs/contract.ts';
import { openBench, untilGone, type Bench } from './harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench([BUILT_IN_EXECUTORS['command']?.module ?? ''], {
    concurrencyOverride: { command: 2 },
    cancelGraceMs: { abort: 2000, term: 500 },
  });
});
afterAll(() => bench[Symbol.asyncDispose]());

const run = (input: unknown) => bench.run('command', input).done;
interface Output {
  readonly stdout: string;
  readonly artifacts: readonly ArtifactReference[];
}

const output = async (input: unknown): Promise<Output> => {
  const result = await run(input);
  expect(result).toMatchObject({ verdict: 'succeeded', message: '' });
  return JSON.parse(result.outputJson) as Output;
};
const sh = (script: string) => ['sh', '-c', script];

describe('command', () => {
  it('returns exit code and output', async () => {
    expect(await output({ argv: sh('echo out; echo err >&2') })).toEqual({
      ...{ exitCode: 0, stdout: 'out\n', stderr: 'err\n', artifacts: [] },
    });
  });

  it('uses no shell', async () => {
    expect(await output({ argv: ['echo', '$HOME; ls', '*'] })).toMatchObject({ stdout: '$HOME; ls *\n' });
  });

  it('feeds standard input as text or JSON, and parses JSON output', async () => {
    expect(await output({ argv: ['cat'], stdin: 'grün' })).toMatchObject({ stdout: 'grün' });
    expect(await output({ argv: ['cat'], json: { a: [1] }, parseJson: true })).toMatchObject({
      json: { a: [1] },
      stdout: '',
    });
    expect(await output({ argv: ['true'], stdin: 'x'.repeat(1_000_000) })).toMatchObject({ exitCode: 0 });
    expect(await run({ argv: ['echo', '{'], parseJson: true })).toMatchObject({
      verdict: 'retryable',
      message: expect.stringContaining('not JSON'),
    });
    expect(await run({ argv: ['cat'], json: 1, stdin: 'x' })).toMatchObject({ reason: 'INVALID_INPUT' });
  });

  it('places files and collects outputs', async () => {
    const path = join(bench.folder, 'in.txt');
    await writeFile(path, 'abc');
    const file = await bench.artifacts.store(path, {});
    const { artifacts } = await output({
      argv: sh(
        'mkdir -p out; tr a-z A-Z <data/in.txt >out/b.txt; echo 1 >out/a.json; echo more >>data/in.txt',
      ),
      files: { 'data/in.txt': file },
      outputs: ['out/*', 'out/b.txt'],
    });
    expect(artifacts.map(({ name, mediaType }) => [name, mediaType])).toEqual([
      ['a.json', 'application/json'],
      ['b.txt', 'text/plain'],
    ]);
    expect(await readFile(await bench.artifacts.fetch(artifacts[1] as ArtifactReference), 'utf8')).toBe(
      'ABC',
    );
    expect(await readFile(await bench.artifacts.fetch(file), 'utf8')).toBe('abc');
  });

  it.each([
    [{ argv: ['true'], outputs: ['../x'] }, 'INVALID_INPUT'],
    [{ argv: ['true'], outputs: ['/etc/passwd'] }, 'INVALID_INPUT'],
    [{ argv: sh('ln -s /etc/passwd p'), outputs: ['p'] }, 'INVALID_INPUT'],
    [{ argv: ['true'], files: { '../x': { $artifact: `sha256:${'0'.repeat(64)}` } } }, 'INVALID_INPUT'],
    [{ argv: ['true'], outputs: ['nothing-*'] }, 'EXECUTOR_ERROR'],
    [{ argv: ['dibs-no-such-program'] }, 'RESOURCE_ERROR'],
    [{ argv: sh('exit 137') }, 'OUT_OF_MEMORY'],
    [{ argv: [] }, 'INVALID_INPUT'],
  ])('%j → %s', async (input, reason) => {
    expect((await run(input)).reason).toBe(reason);
  });

  it('fails with the last words of the program unless its code is allowed', async () => {
    expect(await run({ argv: sh('echo why >&2; exit 3') })).toMatchObject({
      ...{ verdict: 'retryable', reason: 'EXECUTOR_ERROR', message: 'the command exited with code 3: why' },
    });
    expect(await output({ argv: sh('exit 3'), allowExitCodes: [0, 3] })).toMatchObject({ exitCode: 3 });
  });

  it('keeps the end of long output', async () => {
    const { stdout } = await output({ argv: ['seq', '1', '200000'] });
    expect(stdout.length).toBe(16 * 1024);
    expect(stdout.endsWith('199999\n200000\n')).toBe(true);
  });

  it('passes only the allow-listed environment and what the input adds', async () => {
    const { stdout } = await output({ argv: ['env'], env: { MINE: 'yes' } });
    expect(stdout).toContain('MINE=yes');
    expect(stdout).not.toMatch(/VITEST|NODE_CHANNEL/);
  });

  it('leaves nothing of what a program started in the background', async () => {
    const { stdout } = await output({ argv: sh('sleep 600 & echo $!; sleep 600 & echo $!') });
    const pids = stdout.trim().split('\n').map(Number);
    expect(pids).toHaveLength(2);
    await untilGone(pids);
  });
});

describe('cancel', () => {
  it('ends one program and all it started, not its sibling', async () => {
    // The program tells its process ids through a file, put in place in one step.
    const start = async (name: string, script: string) => {
      const path = join(bench.folder, name);
      const job = bench.run('command', {
        argv: sh(`${script} echo "$$ $!" >${path}.new; mv ${path}.new ${path}; wait`),
      });
      await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(true);
      return { job, pids: (await readFile(path, 'utf8')).trim().split(' ').map(Number) };
    };
    const victim = await start('victim', 'trap "" TERM; sleep 600 &');
    const sibling = await start('sibling', 'sleep 600 &');
    victim.job.running.cancel('user');
    expect(await victim.job.done).toMatchObject({ verdict: 'canceled', reason: 'CANCELED_BY_USER' });
    expect(victim.pids).toHaveLength(2);
    await untilGone(victim.pids);
    for (const pid of sibling.pids) expect(() => process.kill(pid, 0)).not.toThrow();
    sibling.job.running.cancel('user');
    await sibling.job.done;
    await untilGone(sibling.pids);
  });
});
