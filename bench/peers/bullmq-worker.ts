/** BullMQ's worker as a process of its own, with the jobs of a scenario. Its jobs stay in Redis when they are done, as Dibs's do. */
import { Worker } from 'bullmq';
import type { Job, Processor } from 'bullmq';
import { machineUs } from '../support/latency.ts';
import { mergedOf, outputOf } from '../support/payload.ts';
import type { JobInput, JobOutput } from '../support/payload.ts';
import { serveRole } from '../support/role.ts';
import { FAN_IN } from '../throughput/workloads.ts';
import type { WorkloadName } from '../throughput/workloads.ts';
import { middleOf, rootOf } from './bullmq-flows.ts';

export interface WorkerSetup {
  readonly socketPath: string;
  readonly queue: string;
  readonly concurrency: number;
  readonly workload: WorkloadName;
}

await serveRole(async ({ socketPath, queue, concurrency, workload }: WorkerSetup) => {
  const connection = { path: socketPath, maxRetriesPerRequest: null };
  const started = async (name: string, run: Processor): Promise<Worker> => {
    const worker = new Worker(name, run, { connection, concurrency });
    worker.on('error', (error) => process.stderr.write(`bullmq worker: ${error.message}\n`));
    await worker.waitUntilReady();
    return worker;
  };
  const workers = [
    await started(queue, (job) =>
      Promise.resolve(job.name === 'clock' ? { at: machineUs() } : outputOf(job.data as JobInput)),
    ),
  ];
  if (workload === 'chain3') {
    workers.push(await started(middleOf(queue), ofChild), await started(rootOf(queue), ofChild));
  } else if (workload === 'fan10') {
    workers.push(
      await started(rootOf(queue), async (job) => {
        const parts = Object.values(await job.getChildrenValues<JobOutput>());
        return mergedOf({ n: (job.data as JobInput).n, parts }, FAN_IN);
      }),
    );
  }
  return { stop: () => Promise.all(workers.map((worker) => worker.close())).then(() => {}) };
});

/** A step of a chain: takes the output of the one before. */
async function ofChild(job: Job): Promise<JobOutput> {
  const [value] = Object.values(await job.getChildrenValues<JobOutput>());
  if (value === undefined) throw new Error('the job before gave nothing');
  return outputOf(value);
}
