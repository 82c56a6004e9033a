/**
 * A fixed sample of the crash points: coordinators and agents killed before and after a write. All of them:
 * `node test/chaos/crash-points/run.ts`.
 */
import { expect, test } from 'vitest';
import { startProc } from '../support/proc.ts';

test('a sample of the crash points is reached, and nothing is lost at any', async () => {
  await using run = startProc('test/chaos/crash-points/run.ts', { args: ['--short', '-o', 'json'] });
  const result = await run.json<{ covered: number; total: number; failed: object[] }>(() => true, {
    timeoutMs: 110_000,
  });
  expect(result.failed).toEqual([]);
  expect(result.covered).toBe(result.total);
  expect(result.total).toBeGreaterThan(5);
  await run.exitsWith(0);
});
