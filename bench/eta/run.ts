/**
 * Scenario "eta": a recorded workload on unequal agents; each job's forecast at its submit against the time it then waited.
 *
 * `medianError` is the median of |p50 - wait| / wait, `withinP90` the share of waits no longer than p90 said; both of the jobs after the
 * first `warm-up` and of waits of SHORT_MS and more.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../sdk/client/index.ts';
import type { DibsClient, ForecastView } from '../../sdk/client/index.ts';
import type { AgentSetup } from '../roles/agent.ts';
import type { CoordinatorSetup } from '../roles/coordinator.ts';
import { RoleProcess } from '../support/role-process.ts';
import { readOptions, withFolder } from '../support/scenario.ts';
import { significant } from '../support/spread.ts';
import { startBenchRedis } from '../throughput/bench-redis.ts';
import { AGENTS, recordedWorkload } from './workload.ts';
import type { RecordedJob } from './workload.ts';

const ROLES = new URL('../roles/', import.meta.url);
const SEED = 20_261_127;
const SHORT_MS = 500;

interface Observed {
  readonly index: number;
  readonly forecast: ForecastView;
  readonly waitMs: number;
}

export async function eta(argv: readonly string[]): Promise<number> {
  const options = readOptions('eta', argv, { jobs: '2000', rounds: '1', 'warm-up': '400' });
  if (options === undefined) return 2;
  const { jobs, rounds, warmUp, json } = options;
  const errors: number[] = [];
  const inside: boolean[] = [];
  let positions = 0;
  let exact = 0;
  for (let round = 0; round < rounds; round++) {
    const observed = await withFolder(async (folder, cleanup) => {
      const redis = await startBenchRedis(join(folder, 'redis'));
      cleanup.add(() => redis.stop());
      const start = async (name: string, setup: unknown): Promise<RoleProcess> => {
        const role = await RoleProcess.start({ name, module: new URL(`./${name}.ts`, ROLES), setup });
        cleanup.add(() => role.stop());
        return role;
      };
      const own = join(folder, 'coordinator');
      await mkdir(own);
      const setup: CoordinatorSetup = { redisUrl: redis.url, folder: own };
      const address = (await start('coordinator', setup)).ready as string;
      for (const [index, { speed, slots, types }] of AGENTS.entries()) {
        const agentFolder = join(folder, `agent-${index}`);
        await mkdir(agentFolder);
        const agent: AgentSetup = {
          coordinator: address,
          folder: agentFolder,
          isolation: 'inline',
          slots,
          recorded: { speed, types },
        };
        await start('agent', agent);
      }
      const client = createClient({ address });
      cleanup.add(() => client.close());
      return play(client, recordedWorkload(jobs, SEED + round));
    });
    for (const { index, forecast, waitMs } of observed) {
      positions++;
      if (forecast.exact) exact++;
      if (index < warmUp || waitMs < SHORT_MS || forecast.startIn === null) continue;
      errors.push(Math.abs(forecast.startIn.p50Ms - waitMs) / waitMs);
      inside.push(waitMs <= forecast.startIn.p90Ms);
    }
  }
  errors.sort((a, b) => a - b);
  const report = {
    scenario: 'eta',
    medianError: significant(errors[Math.floor(errors.length / 2)] ?? 0, 3),
    p90Error: significant(errors[Math.floor(errors.length * 0.9)] ?? 0, 3),
    withinP90: significant(inside.filter(Boolean).length / inside.length, 3),
    judged: errors.length,
    jobs: jobs * rounds,
    exactPositions: significant(exact / positions, 2),
    agents: AGENTS,
  };
  process.stdout.write(`${json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}

/** Submits each job at its time, asks for its forecast, and learns how long it waited. */
async function play(client: DibsClient, workload: readonly RecordedJob[]): Promise<Observed[]> {
  const began = performance.now();
  const all = workload.map(async ({ type, atMs, cost, factor }, index): Promise<Observed | undefined> => {
    await sleep(Math.max(0, atMs - (performance.now() - began)));
    const { workflow } = await client.submit({ steps: [{ type, cost, input: { cost, factor } }] });
    const told = await client.get(workflow.id, { includeJobs: true });
    const toldAt = Date.now();
    const forecast = told.steps[0]?.jobs[0]?.forecast;
    const ended = await client.wait(workflow.id);
    const startedAt = ended.steps[0]?.startedAt?.getTime();
    if (forecast === null || forecast === undefined || startedAt === undefined) return undefined;
    return { index, forecast, waitMs: startedAt - toldAt };
  });
  return (await Promise.all(all)).filter((one) => one !== undefined);
}
