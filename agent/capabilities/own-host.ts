/**
 * The executor host of an ordinary agent: built-in and owner's modules, processes and the inline thread, GPUs by slot.
 */
import { join } from 'node:path';
import { SplitHost } from '../claim/inline/split-host.ts';
import { Ledger } from '../claim/ledger.ts';
import type { LedgerGpu } from '../claim/ledger.ts';
import { gpuEnvironment } from '../hardware/gpu-slots.ts';
import type { ArtifactGateway, JobHost } from '../jobs/contract.ts';
import type { HostLog as Log } from '../jobs/log.ts';
import { MODELS_FOLDER } from '../../sdk/executor/models.ts';
import { builtInModules, ownModules } from './modules.ts';

/** Jobs at once of one executor on the GPUs of a box, at most. */
const MOST_A_BOX = 64;

export interface OwnHostOptions {
  readonly types: string;
  readonly executors: readonly string[];
  readonly cacheDir: string;
  readonly artifacts: ArtifactGateway;
  readonly log: Log;
  /** UUIDs of the visible GPUs, once they are known; asked for whenever a process starts. */
  readonly gpuUuids: () => readonly string[];
  readonly gpus: Promise<readonly LedgerGpu[]>;
  /** Folder of model files. */
  readonly modelFolder: string;
}

export function ownHost(options: OwnHostOptions): JobHost {
  const { types, executors, cacheDir, artifacts, log, gpuUuids, gpus: seen, modelFolder } = options;
  // Inline executors read it in this process.
  process.env[MODELS_FOLDER] = modelFolder;
  const host = new SplitHost({
    modules: [...builtInModules(types), ...ownModules(executors)],
    artifacts,
    log,
    workRoot: join(cacheDir, 'work'),
    slotEnvironment: (type, slot) => {
      const gpus = host.executors.find((executor) => executor.type === type)?.gpus ?? 0;
      return { ...gpuEnvironment(gpuUuids(), gpus, slot), [MODELS_FOLDER]: modelFolder };
    },
    gpuRoom: async (need) => {
      const ledger = new Ledger([{ type: 'one', memoryBytes: 0, ...need }], await seen, 0);
      return ledger.room('one', MOST_A_BOX);
    },
  });
  return host;
}
