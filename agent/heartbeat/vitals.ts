/** Heartbeats and what they report, as one part with one start and one stop. */
import type { HardwareInfo } from '../hardware/hardware.ts';
import type { GpuInfo } from '../hardware/gpu.ts';
import type { JobHost } from '../jobs/contract.ts';
import type { HeldJobReport, Heartbeat } from '../link/wire.ts';
import type { ThroughputTally } from '../../sdk/common/throughput-tally.ts';
import { HeartbeatLoop } from './heartbeat.ts';
import { LoopDelay } from './loop-delay.ts';
import { Telemetry } from './telemetry.ts';

export interface VitalsOptions {
  readonly folder: string;
  readonly hardware: HardwareInfo;
  readonly host: Pick<JobHost, 'processes'>;
  readonly held: () => readonly HeldJobReport[];
  readonly load: { readonly running: number; readonly waiting: number };
  readonly tally: ThroughputTally;
  readonly send: (heartbeat: Heartbeat) => void;
  readonly sawGpus: (gpus: readonly GpuInfo[]) => void;
  readonly random: () => number;
}

export class Vitals {
  readonly #telemetry: Telemetry;
  readonly #loopDelay = new LoopDelay();
  readonly #beats: HeartbeatLoop;

  constructor(options: VitalsOptions) {
    const { folder, hardware, host, held, load, tally, send, sawGpus, random } = options;
    const hasGpus = hardware.gpus.length > 0;
    this.#telemetry = new Telemetry({
      folder,
      hasGpus,
      processes: () => host.processes(),
      sampled: (sample) => void (hasGpus && sawGpus(sample.gpus)),
    });
    this.#beats = new HeartbeatLoop({
      send,
      random,
      sources: {
        held,
        machine: () => this.#telemetry.latest,
        throughput: () => tally.figures(),
        running: () => load.running,
        waiting: () => load.waiting,
        loopDelayMs: () => this.#loopDelay.take(),
      },
    });
  }

  start(): void {
    this.#telemetry.start();
    this.#loopDelay.start();
  }

  /** A session begins: beats go out. */
  live(intervalMs: number): void {
    this.#beats.start(intervalMs);
    this.#telemetry.keepUpWith(intervalMs);
  }

  /** The session is over. */
  lost(): void {
    this.#beats.stop();
  }

  stop(): void {
    this.#beats.stop();
    this.#telemetry.stop();
    this.#loopDelay.stop();
  }
}
