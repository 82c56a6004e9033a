/**
 * A small fleet of real processes ends its work whatever is done to it, one fault of each kind, and leaves nobody behind.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import { FaultRunner } from '../../chaos/faults/act.ts';
import { FAULT_KINDS, KINDS } from '../../chaos/faults/kinds.ts';
import type { Fault } from '../../chaos/faults/plan.ts';
import { Fleet } from '../../chaos/fleet/fleet.ts';
import { SCALED_TIMES } from '../../chaos/fleet/times.ts';
import '../../support/leaks.ts';
import { until } from '../../support/until.ts';

const WORKFLOWS_A_FAULT = 4;
const TEST_MS = 60_000;
const GAP_MS = 100;
const FOR_MS = 200;

test(
  'what is submitted during each kind of fault ends',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-fleet-'));
    const fleet = new Fleet({
      folder,
      coordinators: 2,
      agents: ['agent-1', 'agent-2'].map((name) => ({
        name,
        args: ['--types', 'value.echo', '--slots', '2'],
      })),
      durability: 't2',
      redis: 'single',
      times: SCALED_TIMES,
      proxied: true,
    });
    try {
      await fleet.start();
      await fleet.addConsumer('consumer-1', ['--eval', 'setInterval(() => undefined, 1000)']).start();
      using client = createClient({ address: fleet.addresses.join(',') });
      // A client that has reached nobody yet gives up soon.
      await client.submitAndGetOutput({ steps: [{ type: 'value.echo', input: 'ready' }] });

      const runner = new FaultRunner(join(folder, 'faults.jsonl'));
      const faulting = (async () => {
        const { signal } = new AbortController();
        for (const wave of oneOfEach(fleet)) await runner.run(wave, fleet, [], signal);
        await runner.heal();
      })();

      const begun = (): number => Object.values(runner.counts).reduce((sum, count) => sum + count, 0);
      const work = Array.from({ length: FAULT_KINDS.length * WORKFLOWS_A_FAULT }, async (_, index) => {
        const fault = Math.floor(index / WORKFLOWS_A_FAULT) + 1;
        await until(`fault ${fault} to begin`, () => begun() >= fault, { timeoutMs: TEST_MS });
        const workflow = { steps: [{ type: 'value.echo', input: { index } }] };
        return client.wait((await client.submit(workflow, { requestId: `request-${index}` })).workflow.id);
      });
      const ended = await Promise.all(work);
      await faulting;
      const last = await client.submitAndGetOutput({ steps: [{ type: 'value.echo', input: 'healed' }] });

      expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'succeeded'));
      expect(last).toBe('healed');
      expect(fleet.findings).toEqual([]);
      expect(fleet.members().map(({ state }) => state)).toEqual(fleet.members().map(() => 'up'));
      const lines = (await readFile(join(folder, 'faults.jsonl'), 'utf8')).trim().split('\n');
      expect(lines.filter((line) => line.includes('"begins"'))).toHaveLength(FAULT_KINDS.length);
      expect(runner.counts).toEqual(Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 1])));
    } finally {
      await fleet.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
  TEST_MS,
);

/** In waves that have each target once: a wave begins when all is whole again. */
function oneOfEach(fleet: Fleet): Fault[][] {
  const names = fleet.names();
  const waves: Fault[][] = [];
  for (const kind of FAULT_KINDS) {
    const isFree = (wave: readonly Fault[]) => (target: string) =>
      wave.every((other) => other.target !== target);
    const targets = KINDS[kind].targets(names);
    let wave = waves.find((wave) => targets.some(isFree(wave)));
    if (wave === undefined) waves.push((wave = []));
    const target = targets.find(isFree(wave)) ?? '';
    wave.push({ atMs: wave.length * GAP_MS, kind, target, forMs: FOR_MS, jumpMs: 3_600_000 });
  }
  return waves;
}
