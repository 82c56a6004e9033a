/** Every bench scenario runs, checks its own results, and ends with one line of JSON. Nothing here is about speed. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import '../support/leaks.ts';

const BENCH = join(import.meta.dirname, '../../bench/run.ts');

async function bench(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCH, ...argv, '-o', 'json'], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) as string) as Record<string, unknown>;
}

const DIBS = ['--only', 'dibs', '--rounds', '1', '--warm-up', '1'];

test.each([
  ['throughput', 'jobs/s', ['--jobs', '500', '--coordinators', '2']],
  ['fanout', 'jobs/s', ['--jobs', '1']],
  ['chain3', 'flows/s', ['--jobs', '100', '--isolation', 'process']],
  ['fan10', 'flows/s', ['--jobs', '50']],
])('%s', async (scenario, unit, argv) => {
  const report = await bench(scenario, ...DIBS, ...argv);
  expect(report).toMatchObject({ scenario, unit, peer: null, ratio: null });
  expect(report['dibs']).toBeGreaterThan(0);
});

test.each([
  ['memory', 'B', ['--jobs', '200', '--warm-up', '50']],
  ['depth', 'claims/s', ['--jobs', '2000', '--warm-up', '200']],
  ['overhead', 'ms', ['--jobs', '400', '--warm-up', '200']],
  ['agents', 'cores', ['--jobs', '40', '--warm-up', '1']],
])('%s', async (scenario, unit, argv) => {
  const report = await bench(scenario, '--rounds', '1', ...argv);
  expect(report).toMatchObject({ scenario, unit, rounds: 1 });
  expect(report['ratio']).toBeGreaterThanOrEqual(0);
});

test('dispatch', async () => {
  const report = await bench('dispatch', '--jobs', '20', '--rounds', '1', '--warm-up', '20');
  expect(report).toMatchObject({ scenario: 'dispatch', unit: 'µs', rounds: 1 });
  expect(report['ratio']).toBeGreaterThan(0);
  expect(Object.keys(report['ratios'] as object)).toEqual([
    'toStartP50',
    'toStartP99',
    'toResultP50',
    'toResultP99',
  ]);
});
