/**
 * CPU, memory and swap of the executor processes, with the job each runs: what tells a busy job from a stuck one.
 *
 * 1. A child counts together with what it started (its process group): a helper that works hard is the job working.
 * 2. A process that ended in the meantime is left out.
 */
import { readFile } from 'node:fs/promises';
import pidusage from 'pidusage';
import type { JobHost } from '../jobs/contract.ts';
import { followersOf } from '../jobs/process-group.ts';

/** Fields as in `dibs.v1.ProcessUsage`. */
export interface ProcessUsage {
  readonly pid: number;
  readonly type: string;
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  readonly jobId: string;
}

type Usage = Pick<ProcessUsage, 'cpu' | 'memoryBytes' | 'swapBytes'>;

export async function processUsage(processes: ReturnType<JobHost['processes']>): Promise<ProcessUsage[]> {
  const busy = processes.filter(({ jobId }) => jobId !== '').map(({ pid }) => pid);
  const followers = await followersOf(busy).catch(() => new Map<number, number[]>());
  const found = await Promise.all(
    processes.map(async ({ pid, type, jobId }) => {
      const own = await usageOf(pid);
      if (own === undefined) return [];
      const started = followers.get(pid) ?? [];
      const all = [own, ...(await Promise.all(started.map(usageOf)))];
      const sum = (field: keyof Usage): number =>
        all.reduce((total, usage) => total + (usage?.[field] ?? 0), 0);
      return [
        { pid, type, jobId, cpu: sum('cpu'), memoryBytes: sum('memoryBytes'), swapBytes: sum('swapBytes') },
      ];
    }),
  );
  return found.flat();
}

async function usageOf(pid: number): Promise<Usage | undefined> {
  const [stats, swapBytes] = await Promise.all([pidusage(pid).catch(() => undefined), swapOf(pid)]);
  return stats === undefined ? undefined : { cpu: stats.cpu / 100, memoryBytes: stats.memory, swapBytes };
}

/** Only Linux tells it; 0 elsewhere. */
async function swapOf(pid: number): Promise<number> {
  if (process.platform !== 'linux') return 0;
  return swapIn(await readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''));
}

/** Bytes on swap by the text of a `/proc/<pid>/status`. */
export function swapIn(status: string): number {
  const kib = /^VmSwap:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? 0 : Number(kib) * 1024;
}
