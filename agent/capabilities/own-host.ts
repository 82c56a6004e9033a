/**
 * The executor host of an ordinary agent: built-in and owner's modules, processes and the inline thread, GPUs by slot.
 */
import { join } from 'node:path';
import { SplitHost } from '../claim/inline/split-host.ts';
import { gpuEnvironment } from '../hardware/gpu-slots.ts';
import type { ArtifactGateway, JobHost } from '../jobs/contract.ts';
import type { HostLog as Log } from '../jobs/log.ts';
import { builtInModules, ownModules } from './modules.ts';

export interface OwnHostOptions {
  readonly types: string;
  readonly executors: readonly string[];
  readonly cacheDir: string;
  readonly artifacts: ArtifactGateway;
  readonly log: Log;
  /** UUIDs of the visible GPUs, once they are known; asked for whenever a process starts. */
  readonly gpuUuids: () => readonly string[];
}

export function ownHost(options: OwnHostOptions): JobHost {
  const { types, executors, cacheDir, artifacts, log, gpuUuids } = options;
  const host = new SplitHost({
    modules: [...builtInModules(types), ...ownModules(executors)],
    artifacts,
    log,
    workRoot: join(cacheDir, 'work'),
    slotEnvironment: (type, slot) => {
      const gpus = host.executors.find((executor) => executor.type === type)?.gpus ?? 0;
      return gpuEnvironment(gpuUuids(), gpus, slot);
    },
  });
  return host;
}
