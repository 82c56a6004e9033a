/**
 * beanstalkd as it is measured: a server with its binlog on disk, synced each second as Redis' append-only file is, a producer that
 * takes the results from a second tube, and the best of some worker settings. (It keeps no result itself; a job that is done is deleted.)
 */
import { spawn } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BeanstalkdProducerSetup } from '../peers/beanstalkd-producer.ts';
import type { BeanstalkdWorkerSetup } from '../peers/beanstalkd-worker.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { RoleProcess } from '../support/role-process.ts';
import type { ThroughputOptions } from './options.ts';
import type { PeerSystem, WorkerSetting } from './peer-side.ts';
import { bestOf } from './peer-side.ts';
import type { JobNumbers } from './warm-up.ts';

const PEERS = new URL('../peers/', import.meta.url);
const SETTINGS: readonly WorkerSetting[] = [
  { workers: 1, concurrency: 50 },
  { workers: 1, concurrency: 200 },
  { workers: 2, concurrency: 50 },
];
const TAKERS = 50;
const START_MS = 5000;

export async function startBeanstalkd(
  folder: string,
  numbers: JobNumbers,
  options: Pick<ThroughputOptions, 'workload' | 'window' | 'warmUpMs'>,
  cleanup: Cleanup,
): Promise<PeerSystem> {
  const binlog = join(folder, 'binlog');
  await mkdir(binlog);
  const socketPath = join(folder, 'beanstalkd.sock');
  const flags = ['-l', `unix:${socketPath}`, '-b', binlog, '-f', '1000'];
  const server = spawn('beanstalkd', flags, { stdio: ['ignore', 'ignore', 'inherit'] });
  const failed = new Promise<never>((_, reject) => {
    server.on('error', (error) => reject(new Error(`beanstalkd does not start: ${error.message}`)));
    server.on('exit', (code, signal) => reject(new Error(`beanstalkd has ended (${signal ?? code})`)));
  });
  failed.catch(() => {});
  cleanup.add(() => void server.kill());
  await Promise.race([failed, socketThere(socketPath)]);
  const start = async (name: string, module: string, setup: unknown): Promise<RoleProcess> => {
    const role = await RoleProcess.start({ name, module: new URL(module, PEERS), setup });
    cleanup.add(() => role.stop());
    return role;
  };
  const setup: BeanstalkdProducerSetup = { socketPath, takers: TAKERS };
  const submitter = await start('producer', './beanstalkd-producer.ts', setup);
  return bestOf(SETTINGS, numbers, options, {
    workersOf: ({ workers, concurrency }) =>
      Promise.all(
        Array.from({ length: workers }, () =>
          start('worker', './beanstalkd-worker.ts', {
            socketPath,
            concurrency,
          } satisfies BeanstalkdWorkerSetup),
        ),
      ),
    systemWith: (workers) => ({
      submitter,
      processes: [{ name: 'beanstalkd', pid: server.pid ?? 0 }, ...workers, submitter],
    }),
  });
}

async function socketThere(path: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return;
    await sleep(10);
  }
  throw new Error('beanstalkd made no socket');
}
