/** What a host finds in modules, and what it says of those it cannot use. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import { ExecutorLoadError } from '../../../agent/jobs/host.ts';
import { openBench } from './harness.ts';

const sdk = pathToFileURL(join(import.meta.dirname, '../../../sdk/executor/index.ts')).href;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-load-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function moduleOf(name: string, source: string): Promise<string> {
  const path = join(folder, `${name}.ts`);
  await writeFile(path, `import { defineExecutor } from '${sdk}';\n${source}`);
  return path;
}

it('describes the built-in executors as the advertisement needs them', async () => {
  await using bench = await openBench(Object.values(BUILT_IN_EXECUTORS).map(({ module }) => module));
  expect(bench.host.executors.map(({ type }) => type)).toEqual(Object.keys(BUILT_IN_EXECUTORS));
  for (const executor of bench.host.executors) {
    expect(executor).not.toHaveProperty('module');
    expect(executor.concurrency).toBe(executor.isolation === 'inline' ? 256 : availableParallelism());
    expect(executor.deterministic).toBe(executor.type !== 'command');
    if (executor.type !== 'value.echo')
      expect(JSON.parse(executor.inputSchemaJson)).toMatchObject({ type: 'object' });
  }
});

it('takes file URLs, overrides concurrency, and finds default, named and listed executors', async () => {
  const path = await moduleOf(
    'many',
    `const one = (type, more) => defineExecutor({ type, run: () => 1, ...more });
     export default one('a');
     export const b = one('b', { resources: { gpus: 1, vramBytes: 5 }, cost: 'input.n * 2' });
     export const list = [one('c', { concurrency: 7 }), one('d')];
     export const unrelated = 5;`,
  );
  await using bench = await openBench([pathToFileURL(path).href], { concurrencyOverride: { d: 3 } });
  const found = Object.fromEntries(bench.host.executors.map((one) => [one.type, one]));
  expect(found['a']).toMatchObject({
    concurrency: availableParallelism(),
    isolation: 'process',
    cost: '',
    version: '1',
  });
  expect(found['b']).toMatchObject({ concurrency: 1, gpus: 1, vramBytes: 5, cost: 'input.n * 2' });
  expect(found['c']).toMatchObject({ concurrency: 7 });
  expect(found['d']).toMatchObject({ concurrency: 3 });
});

it('names every module it cannot use, in one error', async () => {
  const modules = [
    await moduleOf('good', `export default defineExecutor({ type: 'good', run: () => 1 });`),
    await moduleOf('throws', `throw new Error('no such model');`),
    await moduleOf('dies', `process.exit(9);`),
    await moduleOf('empty', `export const x = 1;`),
    await moduleOf('twice', `export default defineExecutor({ type: 'good', run: () => 1 });`),
    await moduleOf(
      'mistake',
      `export default defineExecutor({ type: 'bad', cost: 'input.__proto__', run: () => 1 });`,
    ),
    join(folder, 'missing.ts'),
  ];
  const error = await openBench(modules).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ExecutorLoadError);
  const said = (error as ExecutorLoadError).problems.map(({ module, problem }) => [
    module.split('/').at(-1),
    problem,
  ]);
  expect(Object.fromEntries(said)).toEqual({
    'throws.ts': 'no such model',
    'dies.ts': expect.stringContaining('ended its process (code 9)'),
    'empty.ts': expect.stringContaining('exports no executor'),
    'twice.ts': expect.stringMatching(/"good" is also offered by .*good\.ts/),
    'mistake.ts': expect.stringContaining('cost: "__proto__" may not be read'),
    'missing.ts': expect.stringContaining('missing.ts'),
  });
});
