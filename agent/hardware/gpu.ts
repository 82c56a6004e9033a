/**
 * NVIDIA GPUs by UUID, from nvidia-smi where there is one.
 *
 * 1. No binary, no GPUs: that is an answer, not a failure. A binary that fails is one, and is reported.
 * 2. An inherited CUDA_VISIBLE_DEVICES narrows the list as CUDA itself would (`visibleGpus`).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface GpuInfo {
  readonly uuid: string;
  readonly model: string;
  readonly vramBytes: number;
  readonly vramFreeBytes: number;
  readonly driver: string;
}

const QUERY = [
  '--query-gpu=uuid,name,memory.total,memory.free,driver_version',
  '--format=csv,noheader,nounits',
];
const MIB = 1024 * 1024;
const run = promisify(execFile);

export async function probeGpus(environment: NodeJS.ProcessEnv, timeoutMs: number): Promise<GpuInfo[]> {
  try {
    const { stdout } = await run('nvidia-smi', QUERY, { timeout: timeoutMs, killSignal: 'SIGKILL' });
    return visibleGpus(parseGpus(stdout), environment['CUDA_VISIBLE_DEVICES']);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Rows of nvidia-smi's CSV; a row that is not one (MIG devices without memory, warnings) is left out. Pure. */
export function parseGpus(csv: string): GpuInfo[] {
  return csv.split('\n').flatMap((line) => {
    const [uuid, model, total, free, driver] = line.split(',').map((field) => field.trim());
    if (uuid === undefined || !/^(GPU|MIG)-/.test(uuid) || model === undefined) return [];
    return [{ uuid, model, vramBytes: mib(total), vramFreeBytes: mib(free), driver: driver ?? '' }];
  });
}

/**
 * The GPUs a CUDA program would see, in its order: indices or UUID prefixes; the first entry that names none ends the
 * list. Undefined = all. Pure.
 */
export function visibleGpus(gpus: readonly GpuInfo[], visible: string | undefined): GpuInfo[] {
  if (visible === undefined) return [...gpus];
  const chosen: GpuInfo[] = [];
  for (const entry of visible.split(',').map((part) => part.trim())) {
    const gpu = /^\d+$/.test(entry)
      ? gpus[Number(entry)]
      : gpus.find(({ uuid }) => entry !== '' && uuid.startsWith(entry));
    if (gpu === undefined || chosen.includes(gpu)) break;
    chosen.push(gpu);
  }
  return chosen;
}

function mib(text: string | undefined): number {
  const value = Number(text);
  return Number.isFinite(value) ? value * MIB : 0;
}
