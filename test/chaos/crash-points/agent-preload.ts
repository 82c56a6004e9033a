/**
 * Loaded into an agent before its own modules (`node --import`): watches what it writes into its state directory and
 * kills the process at the armed point; and makes its waits for another coordinator short.
 *
 * CRASH_REPORT names the file to report to, CRASH_STATE_DIR the folder, CRASH_POINT the armed point.
 */
import { writeFileSync } from 'node:fs';
import type { WriteFileOptions } from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { armedBy } from './points.ts';
import { Report, dieWithParent } from './report.ts';

const WRITES = [
  'mkdir',
  'writeFile',
  'rename',
  'rm',
  'rmdir',
  'chmod',
  'unlink',
  'copyFile',
  'appendFile',
] as const;

type Operation = (...args: unknown[]) => Promise<unknown>;

if (isMainThread) {
  dieWithParent();
  // The wait for the next coordinator is uniform below a bound that grows to 30 s: this keeps it below 0.3 s.
  const random = Math.random;
  Math.random = () => random() * 0.01;
  const file = process.env['CRASH_REPORT'];
  const folder = process.env['CRASH_STATE_DIR'];
  if (file !== undefined && folder !== undefined) watch(new Report(file), resolve(folder));
}

function watch(report: Report, folder: string): void {
  const point = armedBy(process.env['CRASH_POINT']);
  const operations = files as unknown as Record<string, Operation>;
  for (const name of WRITES) {
    const operation = operations[name] as Operation;
    operations[name] = async (...args) => {
      const place = placeOf(folder, args[0]);
      if (place === undefined) return operation(...args);
      const kind = `${name} ${place}`;
      report.saw(kind);
      if (point?.kind !== kind) return operation(...args);
      if (point.moment === 'before') report.die(point);
      if (point.moment === 'torn') {
        const [path, , options] = args as [string, string, WriteFileOptions];
        writeFileSync(path, '', options);
        report.die(point);
      }
      // A failure is told as ever: nothing was written.
      await operation(...args);
      return report.die(point);
    };
  }
  syncBuiltinESMExports();
}

/** Path within the folder without what differs from run to run; undefined outside. */
function placeOf(folder: string, path: unknown): string | undefined {
  if (typeof path !== 'string') return undefined;
  const inside = relative(folder, resolve(path));
  if (inside === '') return '.';
  return inside.startsWith('..') ? undefined : join(inside).replace(/[0-9a-f]{32}/, '*');
}
