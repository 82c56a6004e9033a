/**
 * What this agent offers right now, and the advertisement that says so.
 *
 * 1. The advertisement is made anew when something it names has changed (a GPU came or went), and only then `changed`
 *    is called; free memory and free disk change all the time and travel with heartbeats instead.
 */
import type { GpuInfo } from '../hardware/gpu.ts';
import type { HardwareInfo } from '../hardware/hardware.ts';
import type { ExecutorDescription } from '../jobs/contract.ts';
import type { Advertisement } from '../link/wire.ts';
import { advertisement } from './advertisement.ts';
import { selectExecutors } from './select.ts';
import type { Selection } from './select.ts';

export interface OfferingOptions {
  readonly executors: readonly ExecutorDescription[];
  readonly labels: Readonly<Record<string, string>>;
  readonly hardware: HardwareInfo;
  /** Jobs at once, given what is offered. */
  readonly slots: (offered: readonly ExecutorDescription[]) => number;
  readonly changed: (advertisement: Advertisement) => void;
}

export class Offering {
  readonly #o: OfferingOptions;
  #hardware: HardwareInfo;
  #selection: Selection;

  constructor(options: OfferingOptions) {
    this.#o = options;
    this.#hardware = options.hardware;
    this.#selection = this.#select();
  }

  get selection(): Selection {
    return this.#selection;
  }

  get slots(): number {
    return this.#o.slots(this.#selection.offered);
  }

  get advertisement(): Advertisement {
    return advertisement({
      executors: this.#selection.offered,
      labels: this.#o.labels,
      hardware: this.#hardware,
      slots: this.slots,
    });
  }

  /** The GPUs as just measured (1). */
  sawGpus(gpus: readonly GpuInfo[]): void {
    if (identityOf(gpus) === identityOf(this.#hardware.gpus)) return;
    this.#hardware = { ...this.#hardware, gpus };
    this.#selection = this.#select();
    this.#o.changed(this.advertisement);
  }

  #select(): Selection {
    return selectExecutors(this.#o.executors, this.#hardware.gpus);
  }
}

function identityOf(gpus: readonly GpuInfo[]): string {
  return gpus.map(({ uuid }) => uuid).join(' ');
}
