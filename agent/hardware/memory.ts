/** Memory this process may use: the box's, or the cgroup's limit where that is lower. */
import { freemem, totalmem } from 'node:os';
import si from 'systeminformation';

export interface Memory {
  readonly totalBytes: number;
  readonly usedBytes: number;
}

export function knownMemory(): Memory {
  return limited({ totalBytes: totalmem(), usedBytes: totalmem() - freemem() });
}

/** `used` without caches the kernel would give up. */
export async function probeMemory(): Promise<Memory> {
  const { total, available } = await si.mem();
  return limited({ totalBytes: total, usedBytes: Math.max(0, total - available) });
}

function limited(memory: Memory): Memory {
  const limit = process.constrainedMemory();
  // 0 or a number beyond the box means "no limit".
  if (limit === 0 || limit >= memory.totalBytes) return memory;
  return { totalBytes: limit, usedBytes: Math.max(0, limit - process.availableMemory()) };
}
