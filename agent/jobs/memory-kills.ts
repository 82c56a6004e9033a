/** How often the kernel has killed a process for memory; tells an OOM kill from any other SIGKILL. */
import { readFileSync } from 'node:fs';

/** Undefined where the kernel does not say. */
export function memoryKills(): number | undefined {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}
