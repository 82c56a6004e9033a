/** `dibs executor run`: output on stdout only, everything else on stderr, exit codes as documented. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import { runExecutor, type ExecutorRunOptions } from '../../../cli/executor-run.ts';
import { fixture } from './harness.ts';

const HELLO = join(import.meta.dirname, '../../../examples/hello/hello.ts');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(options: Omit<ExecutorRunOptions, 'stdout' | 'stderr'>) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await runExecutor({ ...options, stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, out, err };
}

it('runs the hello example', async () => {
  expect(await run({ modulePath: HELLO, input: '{"name":"Ada"}' })).toEqual({
    ...{ code: 0, out: '{"greeting":"Hello, Ada!"}\n', err: '50 % thinking of Ada\n' },
  });
  expect((await readFile(HELLO, 'utf8')).split('\n').length).toBeLessThanOrEqual(16);
});

it('takes input from a file and from standard input', async () => {
  const path = join(folder, 'in.json');
  await writeFile(path, '{"name":"File"}');
  expect(await run({ modulePath: HELLO, input: `@${path}` })).toMatchObject({
    code: 0,
    out: '{"greeting":"Hello, File!"}\n',
  });
  const stdin = Readable.from(['{"name":', '"Pipe"}']);
  expect(await run({ modulePath: HELLO, input: '-', stdin })).toMatchObject({
    code: 0,
    out: '{"greeting":"Hello, Pipe!"}\n',
  });
});

it('turns files into artifacts and artifacts into files', async () => {
  const path = join(folder, 'poem.txt');
  await writeFile(path, 'one two one');
  const outDir = join(folder, 'out');
  const modulePath = BUILT_IN_EXECUTORS['text.count']?.module ?? '';
  const byPath = await run({ modulePath, input: JSON.stringify({ text: { $file: path } }), outDir });
  expect(byPath).toMatchObject({
    code: 0,
    err: expect.stringContaining(`wrote ${join(outDir, 'histogram.json')}`),
  });
  expect(JSON.parse(byPath.out)).toMatchObject({
    words: 3,
    top: [
      ['one', 2],
      ['two', 1],
    ],
  });
  expect(await readFile(join(outDir, 'histogram.json'), 'utf8')).toBe('{\n"one": 2,\n"two": 1\n}\n');
  const byName = await run({ modulePath, input: '{"text":{"$file":"poem"}}', files: { poem: path }, outDir });
  expect(byName.out).toBe(byPath.out);
});

it.each<[Omit<ExecutorRunOptions, 'stdout' | 'stderr'>, number, RegExp]>([
  [{ modulePath: HELLO, input: '{"name":""}' }, 2, /INVALID_INPUT: name/],
  [{ modulePath: HELLO, input: '{' }, 2, /--input is not JSON/],
  [{ modulePath: HELLO, input: '@/no/such/file' }, 2, /--input: ENOENT/],
  [{ modulePath: HELLO, input: '{"a":{"$file":"/no/such/file"}}' }, 2, /--input: ENOENT/],
  [{ modulePath: 'no/such/module.ts', input: '{}' }, 5, /no such module/],
  [{ modulePath: HELLO, type: 'other', input: '{}' }, 5, /no executor "other"; it has hello/],
  [{ modulePath: fixture('behaviours'), input: '{}' }, 2, /choose one with --type: .*test\.wait/],
  [{ modulePath: fixture('agent'), input: '{}' }, 1, /agent\.ts/],
  [
    { modulePath: fixture('behaviours'), type: 'test.throws', input: '{"kind":"fatal"}' },
    8,
    /fatal: CONTENT_BLOCKED: never/,
  ],
  [
    { modulePath: fixture('behaviours'), type: 'test.wait', input: '{}', timeoutMs: 20 },
    124,
    /DEADLINE_EXCEEDED_RUNNING/,
  ],
])('%j → exit code %i', async (options, code, why) => {
  expect(await run(options)).toEqual({ code, out: '', err: expect.stringMatching(why) });
});

it('is canceled by Ctrl-C and leaves nothing', async () => {
  const interrupt = new AbortController();
  const before = (await readdir(tmpdir())).filter((name) => name.startsWith('dibs-run-'));
  const stderr = new PassThrough();
  stderr.once('data', () => interrupt.abort());
  const code = await runExecutor({
    ...{
      modulePath: fixture('behaviours'),
      type: 'test.wait',
      input: 'null',
      signal: interrupt.signal,
      stderr,
    },
  });
  expect(code).toBe(130);
  expect(
    (await readdir(tmpdir())).filter((name) => name.startsWith('dibs-run-') && !before.includes(name)),
  ).toEqual([]);
});
