/**
 * What the box is made of, for the advertisement: all probes at once, each in a file of its own.
 *
 * 1. Never takes longer than PROBE_MS and never fails: what is not known in time is left at what Node knows.
 * 2. What is missing is named (`missing`), so that the log and `doctor` can say so.
 */
import { bounded } from './bounded.ts';
import type { Bounded } from './bounded.ts';
import { knownCpu, probeCpu } from './cpu.ts';
import { probeDisk } from './disk.ts';
import { probeGpus } from './gpu.ts';
import type { GpuInfo } from './gpu.ts';
import { knownMemory, probeMemory } from './memory.ts';
import { knownOs, probeOs } from './os.ts';

export const PROBE_MS = 2_000;

/** Fields as in `dibs.v1.Hardware`. */
export interface HardwareInfo {
  readonly platform: string;
  readonly arch: string;
  readonly hostname: string;
  readonly cpuModel: string;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly gpus: readonly GpuInfo[];
  readonly diskFreeBytes: number;
  readonly osRelease: string;
}

export interface HardwareReport {
  readonly hardware: HardwareInfo;
  readonly missing: readonly { readonly probe: string; readonly reason: string }[];
}

export async function probeHardware(
  folder: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<HardwareReport> {
  const [cpu, memory, disk, os, gpus] = await Promise.all([
    bounded(probeCpu, knownCpu(), PROBE_MS),
    bounded(probeMemory, knownMemory(), PROBE_MS),
    bounded(() => probeDisk(folder), { freeBytes: 0 }, PROBE_MS),
    bounded(probeOs, knownOs(), PROBE_MS),
    bounded(() => probeGpus(environment, PROBE_MS), [], PROBE_MS),
  ]);
  const probes: Record<string, Bounded<unknown>> = { cpu, memory, disk, os, gpu: gpus };
  return {
    hardware: {
      platform: os.value.platform,
      arch: os.value.arch,
      hostname: os.value.hostname,
      cpuModel: cpu.value.model,
      cpuCores: cpu.value.cores,
      memoryBytes: memory.value.totalBytes,
      gpus: gpus.value,
      diskFreeBytes: disk.value.freeBytes,
      osRelease: os.value.release,
    },
    missing: Object.entries(probes).flatMap(([probe, { failed }]) =>
      failed === undefined ? [] : [{ probe, reason: failed }],
    ),
  };
}
