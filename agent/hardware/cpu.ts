/** Model and logical cores. Cores are what this process may use (affinity and cgroup quota), not what the box has. */
import { availableParallelism, cpus } from 'node:os';
import si from 'systeminformation';

export interface Cpu {
  readonly model: string;
  readonly cores: number;
}

/** What Node knows without asking anybody. */
export function knownCpu(): Cpu {
  return { model: cpus()[0]?.model.trim() ?? '', cores: availableParallelism() };
}

export async function probeCpu(): Promise<Cpu> {
  const known = knownCpu();
  if (known.model !== '') return known;
  const { manufacturer, brand } = await si.cpu();
  return { ...known, model: `${manufacturer} ${brand}`.trim() };
}
