/** BullMQ's worker as a process of its own, with the no-op. Its jobs stay in Redis when they are done, as Dibs's do. */
import { Worker } from 'bullmq';
import { outputOf } from '../support/payload.ts';
import type { JobInput } from '../support/payload.ts';
import { serveRole } from '../support/role.ts';

export interface WorkerSetup {
  readonly socketPath: string;
  readonly queue: string;
  readonly concurrency: number;
}

await serveRole(async ({ socketPath, queue, concurrency }: WorkerSetup) => {
  const connection = { path: socketPath, maxRetriesPerRequest: null };
  const worker = new Worker(queue, async (job) => outputOf(job.data as JobInput), {
    connection,
    concurrency,
  });
  worker.on('error', (error) => process.stderr.write(`bullmq worker: ${error.message}\n`));
  await worker.waitUntilReady();
  return { stop: () => worker.close() };
});
