/**
 * Scenario "overhead": 200 slots of jobs that take 100 ms, against the same 200 loops without a queue, in turn.
 *
 * `ratio` is wall time with Dibs / wall time of the loops: from the first submit to the last result. Both sleep with the same timer in
 * a process of their own.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '../../sdk/client/index.ts';
import type { LoopsSetup } from '../roles/loops.ts';
import { RoleProcess } from '../support/role-process.ts';
import { readOptions, withFolder } from '../support/scenario.ts';
import { significant, spread } from '../support/spread.ts';
import { startDibs } from '../throughput/dibs-side.ts';
import { WORKLOADS } from '../throughput/workloads.ts';

const SLOTS = 200;
const JOB_MS = 100;
/** Workflows under way. */
const WINDOW = 1000;

export async function overhead(argv: readonly string[]): Promise<number> {
  const options = readOptions('overhead', argv, { jobs: '20000', rounds: '3', 'warm-up': '2000' });
  if (options === undefined) return 2;
  const { jobs, rounds, warmUp, json } = options;
  const walls = { dibs: [] as number[], loops: [] as number[] };
  await withFolder(async (folder, cleanup) => {
    await mkdir(join(folder, 'dibs'));
    const one = {
      agents: 1,
      coordinators: 1,
      isolation: 'inline',
      slots: SLOTS,
      profileTo: undefined,
    } as const;
    const { address } = await startDibs(
      join(folder, 'dibs'),
      { ...one, workload: WORKLOADS.throughput },
      cleanup,
    );
    const setup: LoopsSetup = { slots: SLOTS, jobMs: JOB_MS };
    const loops = await RoleProcess.start({
      name: 'loops',
      module: new URL('../roles/loops.ts', import.meta.url),
      setup,
    });
    cleanup.add(() => loops.stop());
    const client = createClient({ address });
    cleanup.add(() => client.close());
    const stream = client.openSubmitStream();
    cleanup.add(() => stream.close());
    const withDibs = async (count: number): Promise<number> => {
      const startedAt = performance.now();
      const spec = { steps: [{ type: 'bench.sleep', input: { ms: JOB_MS } }] };
      let left = count;
      const submitter = async (): Promise<void> => {
        while (left-- > 0) await stream.run(spec);
      };
      await Promise.all(Array.from({ length: WINDOW }, submitter));
      return performance.now() - startedAt;
    };
    const without = (count: number): Promise<number> => loops.ask<number>('run', count);
    await withDibs(warmUp);
    await without(warmUp);
    for (let round = 0; round < rounds; round++) {
      if (round % 2 === 0) walls.dibs.push(await withDibs(jobs));
      walls.loops.push(await without(jobs));
      if (round % 2 === 1) walls.dibs.push(await withDibs(jobs));
    }
  });
  const [dibs, loops] = [spread(walls.dibs), spread(walls.loops)];
  const each = spread(walls.dibs.map((wall, round) => wall / (walls.loops[round] as number)));
  const report = {
    scenario: 'overhead',
    dibs: Math.round(dibs.median),
    peer: Math.round(loops.median),
    ratio: significant(dibs.median / loops.median, 4),
    ratioSpread: { min: significant(each.min, 4), max: significant(each.max, 4) },
    unit: 'ms',
    ideal: Math.ceil(jobs / SLOTS) * JOB_MS,
    slots: SLOTS,
    jobMs: JOB_MS,
    rounds,
    jobs,
  };
  process.stdout.write(`${json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}
