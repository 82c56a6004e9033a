/**
 * BullMQ as it is measured: redis-server, a producer with QueueEvents, and its best worker setting of three.
 *
 * The settings are tried one after the other, twice round, each warm; the one with the best rate stays for the run.
 */
import { join } from 'node:path';
import type { ProducerSetup } from '../peers/bullmq-producer.ts';
import type { WorkerSetup } from '../peers/bullmq-worker.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { RoleProcess } from '../support/role-process.ts';
import { startBenchRedis } from './bench-redis.ts';
import { runRound } from './round.ts';
import type { SystemUnderTest } from './round.ts';
import { warmUp } from './warm-up.ts';
import type { ThroughputOptions } from './options.ts';
import type { WorkloadName } from './workloads.ts';
import type { JobNumbers } from './warm-up.ts';

const PEERS = new URL('../peers/', import.meta.url);
const QUEUE = 'bench';
const TRIES = 2;
const TRY_WARM_UP_MS = 1000;

export interface WorkerSetting {
  readonly workers: number;
  readonly concurrency: number;
}

const SETTINGS: readonly WorkerSetting[] = [
  { workers: 1, concurrency: 50 },
  { workers: 1, concurrency: 200 },
  { workers: 2, concurrency: 50 },
];

export interface Tried extends WorkerSetting {
  readonly perSecond: number;
}

export interface PeerSystem extends SystemUnderTest {
  readonly setting: WorkerSetting;
  readonly tried: readonly Tried[];
}

/** One worker setting, nothing tried. */
export async function startPlainPeer(
  folder: string,
  setting: WorkerSetting,
  cleanup: Cleanup,
): Promise<SystemUnderTest & { readonly socketPath: string }> {
  const parts = await startParts(folder, 'throughput', cleanup);
  return { ...parts.systemWith(await parts.workersOf(setting)), socketPath: parts.socketPath };
}

export async function startPeer(
  folder: string,
  numbers: JobNumbers,
  { workload, window, warmUpMs }: Pick<ThroughputOptions, 'workload' | 'window' | 'warmUpMs'>,
  cleanup: Cleanup,
): Promise<PeerSystem> {
  const parts = await startParts(folder, workload.name, cleanup);
  return bestOf(SETTINGS, numbers, { workload, window, warmUpMs }, parts);
}

/** The parts with their best worker setting: each is tried twice, warm, and the one with the best rate stays. */
export async function bestOf(
  settings: readonly WorkerSetting[],
  numbers: JobNumbers,
  { workload, window, warmUpMs }: Pick<ThroughputOptions, 'workload' | 'window' | 'warmUpMs'>,
  parts: {
    readonly workersOf: (setting: WorkerSetting) => Promise<RoleProcess[]>;
    readonly systemWith: (workers: readonly RoleProcess[]) => SystemUnderTest;
  },
): Promise<PeerSystem> {
  const { workersOf, systemWith } = parts;
  const best = settings.map(() => 0);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    for (const [index, setting] of settings.entries()) {
      const workers = await workersOf(setting);
      const system = systemWith(workers);
      await warmUp(system, numbers, window, workload.stretch, Math.min(TRY_WARM_UP_MS, warmUpMs));
      const jobs = 2 * workload.stretch;
      const { perSecond } = await runRound(system, { first: numbers.take(jobs), jobs, window });
      best[index] = Math.max(best[index] ?? 0, perSecond);
      await Promise.all(workers.map((worker) => worker.stop()));
    }
  }
  const tried = settings.map((setting, index) => ({
    ...setting,
    perSecond: Math.round((best[index] as number) * workload.perFlow),
  }));
  const setting = settings[best.indexOf(Math.max(...best))] as WorkerSetting;
  return { ...systemWith(await workersOf(setting)), setting, tried };
}

async function startParts(folder: string, workload: WorkloadName, cleanup: Cleanup) {
  const redis = await startBenchRedis(join(folder, 'redis'));
  cleanup.add(() => redis.stop());
  const { socketPath } = redis;
  const start = async (name: string, module: string, setup: unknown): Promise<RoleProcess> => {
    const role = await RoleProcess.start({ name, module: new URL(module, PEERS), setup });
    cleanup.add(() => role.stop());
    return role;
  };
  const setup: ProducerSetup = { socketPath, queue: QUEUE, workload };
  const submitter = await start('producer', './bullmq-producer.ts', setup);
  const workersOf = ({ workers, concurrency }: WorkerSetting): Promise<RoleProcess[]> =>
    Promise.all(
      Array.from({ length: workers }, () =>
        start('worker', './bullmq-worker.ts', {
          socketPath,
          queue: QUEUE,
          concurrency,
          workload,
        } satisfies WorkerSetup),
      ),
    );
  const systemWith = (workers: readonly RoleProcess[]): SystemUnderTest => ({
    submitter,
    processes: [{ name: 'redis', pid: redis.pid }, ...workers, submitter],
  });
  return { systemWith, workersOf, socketPath };
}
