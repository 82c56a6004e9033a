/**
 * `npm test`: every check in order, cheapest first, then the tests. All run even when one fails, so that one
 * run says everything. Arguments go to vitest: `npm test -- test/unit/queue`.
 *
 * The last line is always vitest's own count, "N passed, N failed"; the exit code is 0 only when every
 * check and every test passed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Count, countOf } from './check/count.ts';

const CHECKS: readonly (readonly [name: string, ...argv: string[]])[] = [
  ['lint', 'oxlint'],
  ['floors', 'node', 'scripts/check-floors.ts'],
  ['format', 'oxfmt', '--check'],
  ['types', 'tsc', '-p', '.'],
  ['generated code', 'node', 'scripts/gen.ts', '--check'],
  ['unused code', 'knip'],
];

const root = join(import.meta.dirname, '..');
const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };

const failed: string[] = [];
for (const [name, ...argv] of CHECKS) {
  console.log(`\n── ${name}: ${argv.join(' ')}`);
  if (!succeeds(argv)) failed.push(name);
}

console.log('\n── tests: vitest run');
const count = runTests(process.argv.slice(2));
if (!count.clean) failed.push('tests');

console.log(failed.length > 0 ? `\nFAILED: ${failed.join(', ')}` : '\nAll checks passed.');
if (count.skipped > 0) console.log(`${count.skipped} skipped`);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = failed.length > 0 ? 1 : 0;

function runTests(args: readonly string[]): Count {
  const folder = mkdtempSync(join(tmpdir(), 'dibs-test-'));
  const report = join(folder, 'vitest.json');
  try {
    const clean = succeeds([
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...args,
    ]);
    return countOf(readReport(report), clean);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function succeeds(argv: readonly string[]): boolean {
  const [file = '', ...args] = argv;
  return spawnSync(file, args, { cwd: root, env, stdio: 'inherit' }).status === 0;
}
