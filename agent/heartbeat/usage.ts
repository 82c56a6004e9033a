/** CPU and memory of the executor processes, with the job each runs. */
import pidusage from 'pidusage';
import type { JobHost } from '../jobs/contract.ts';

/** Fields as in `dibs.v1.ProcessUsage`. */
export interface ProcessUsage {
  readonly pid: number;
  readonly type: string;
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly jobId: string;
}

/** A process that ended in the meantime is left out. */
export async function processUsage(processes: ReturnType<JobHost['processes']>): Promise<ProcessUsage[]> {
  if (processes.length === 0) return [];
  const found = await Promise.all(
    processes.map(async ({ pid, type, jobId }) => {
      const stats = await pidusage(pid).catch(() => undefined);
      return stats === undefined
        ? []
        : [{ pid, type, jobId, cpu: stats.cpu / 100, memoryBytes: stats.memory }];
    }),
  );
  return found.flat();
}
