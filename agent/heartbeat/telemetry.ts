/**
 * The machine's condition, measured beside the heartbeat and remembered, so that a slow probe never delays one.
 *
 * 1. `latest` never waits: it is what was last measured.
 * 2. One round of probes at a time, each bounded; a probe that fails keeps its last value.
 */
import si from 'systeminformation';
import { bounded } from '../hardware/bounded.ts';
import { probeDisk } from '../hardware/disk.ts';
import { probeGpus } from '../hardware/gpu.ts';
import type { GpuInfo } from '../hardware/gpu.ts';
import { knownMemory, probeMemory } from '../hardware/memory.ts';
import type { Memory } from '../hardware/memory.ts';
import type { JobHost } from '../jobs/contract.ts';
import { processUsage } from './usage.ts';
import type { ProcessUsage } from './usage.ts';

const SAMPLE_MS = 10_000;
const SHORTEST_MS = 250;
const PROBE_MS = 3_000;

export interface MachineSample {
  /** Share of all cores, 0 to 1. */
  readonly cpuLoad: number;
  readonly memory: Memory;
  readonly diskFreeBytes: number;
  readonly gpus: readonly GpuInfo[];
  readonly processes: readonly ProcessUsage[];
}

export interface TelemetryOptions {
  readonly folder: string;
  readonly hasGpus: boolean;
  readonly processes: JobHost['processes'];
  readonly sampled?: (sample: MachineSample) => void;
  readonly environment?: NodeJS.ProcessEnv;
}

export class Telemetry {
  readonly #o: TelemetryOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = true;
  #sampleMs = SAMPLE_MS;
  #latest: MachineSample = { cpuLoad: 0, memory: knownMemory(), diskFreeBytes: 0, gpus: [], processes: [] };

  constructor(options: TelemetryOptions) {
    this.#o = options;
  }

  get latest(): MachineSample {
    return this.#latest;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    void this.#loop();
  }

  /** Heartbeats go out this often: each is to carry something newer than the last. */
  keepUpWith(heartbeatMs: number): void {
    this.#sampleMs =
      heartbeatMs <= 0 ? SAMPLE_MS : Math.max(SHORTEST_MS, Math.min(SAMPLE_MS, heartbeatMs / 2));
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** One round of probes (2). */
  async runOnce(): Promise<MachineSample> {
    const last = this.#latest;
    const { folder, hasGpus, processes, environment } = this.#o;
    const [load, memory, disk, gpus, usage] = await Promise.all([
      bounded(async () => (await si.currentLoad()).currentLoad / 100, last.cpuLoad, PROBE_MS),
      bounded(probeMemory, last.memory, PROBE_MS),
      bounded(() => probeDisk(folder), { freeBytes: last.diskFreeBytes }, PROBE_MS),
      bounded(
        () => (hasGpus ? probeGpus(environment ?? process.env, PROBE_MS) : Promise.resolve([])),
        [...last.gpus],
        PROBE_MS,
      ),
      bounded(() => processUsage(processes()), [...last.processes], PROBE_MS),
    ]);
    this.#latest = {
      cpuLoad: Math.min(1, Math.max(0, load.value)),
      memory: memory.value,
      diskFreeBytes: disk.value.freeBytes,
      gpus: gpus.value,
      processes: usage.value,
    };
    this.#o.sampled?.(this.#latest);
    return this.#latest;
  }

  async #loop(): Promise<void> {
    this.#timer = undefined;
    await this.runOnce();
    if (!this.#stopped) this.#wait();
  }

  #wait(): void {
    this.#timer = setTimeout(() => void this.#loop(), this.#sampleMs).unref();
  }
}
