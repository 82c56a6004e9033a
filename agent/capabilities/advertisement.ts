/** What the agent says it can do: executors, labels, hardware and slots, as one message. Pure. */
import type { HardwareInfo } from '../hardware/hardware.ts';
import type { ExecutorDescription } from '../jobs/contract.ts';
import type { Advertisement } from '../link/wire.ts';

export function advertisement(about: {
  readonly executors: readonly ExecutorDescription[];
  readonly labels: Readonly<Record<string, string>>;
  readonly hardware: HardwareInfo;
  readonly slots: number;
}): Advertisement {
  return {
    executors: about.executors.map(({ models, ...one }) => ({
      ...one,
      models: models.map(({ name, size = 0, sha256 }) => ({
        name,
        size,
        hash: sha256 === undefined ? '' : `sha256:${sha256}`,
      })),
    })),
    labels: about.labels,
    hardware: about.hardware,
    slots: about.slots,
  };
}
