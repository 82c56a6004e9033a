/**
 * A short chaos run: every kind of fault but the long ones, on a whole system of real processes. Long ones:
 * `npm run chaos`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FAULT_KINDS } from '../chaos/faults/kinds.ts';
import { runChaos } from '../chaos/run/chaos.ts';
import '../support/leaks.ts';

test('nothing is lost, doubled or violated in ten seconds of faults', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-chaos-'));
  const result = await runChaos({
    seed: 5,
    seconds: 10,
    folder,
    faults: new Set(FAULT_KINDS.filter((kind) => kind !== 'outage')),
  });
  // With a violation, what was written down stays there to be read.
  expect({ folder, violations: result.violations }).toEqual({ folder, violations: [] });
  expect(result.acked).toBeGreaterThan(0);
  expect(Object.keys(result.faults).length).toBeGreaterThan(5);
  await rm(folder, { recursive: true, force: true });
});
