/** What a job host is made with, and the numbers its parts share. */
import type { ArtifactGateway } from './contract.ts';
import type { HostLog } from './log.ts';

/** Longest delay a timer takes; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export interface JobHostOptions {
  /** Absolute paths or file URLs of modules that export executors. */
  readonly modules: readonly string[];
  readonly artifacts: ArtifactGateway;
  readonly log: HostLog;
  /** Folder for the jobs' own folders; made if missing. */
  readonly workRoot: string;
  /** Time an executor has to obey: the abort signal, then SIGTERM. Default 2000 and 3000. */
  readonly cancelGraceMs?: { readonly abort: number; readonly term: number };
  /** Default 1 MiB, the most an output may have on the wire. */
  readonly maxOutputBytes?: number;
  /** Jobs at once by step type, in place of what the executor says. */
  readonly concurrencyOverride?: Readonly<Record<string, number>>;
  /** Names of environment variables children get besides the usual few and those their executor names. */
  readonly env?: readonly string[];
  /** Values for one slot of one executor, for example its CUDA_VISIBLE_DEVICES. */
  readonly slotEnvironment?: (type: string, slot: number) => Readonly<Record<string, string>>;
  /** How many jobs of this need fit on the GPUs of the box; default 1. */
  readonly gpuRoom?: (need: { readonly gpus: number; readonly vramBytes: number }) => Promise<number>;
  /** An idle child is ended after this time, which frees its memory. Default 5 minutes. */
  readonly idleUnloadMs?: number | 'never';
  /** Most time `setup` and `warmup` may take together. Default 10 minutes. */
  readonly setupTimeoutMs?: number;
}

/** Options with their defaults filled in. */
export interface HostSettings extends Required<Omit<JobHostOptions, 'modules' | 'gpuRoom'>> {
  /** This host's own folder under workRoot. */
  readonly jobsRoot: string;
}

export function settingsFrom(options: JobHostOptions, jobsRoot: string): HostSettings {
  return {
    artifacts: options.artifacts,
    log: options.log,
    workRoot: options.workRoot,
    cancelGraceMs: options.cancelGraceMs ?? { abort: 2000, term: 3000 },
    maxOutputBytes: options.maxOutputBytes ?? 1024 * 1024,
    concurrencyOverride: options.concurrencyOverride ?? {},
    env: options.env ?? [],
    slotEnvironment: options.slotEnvironment ?? (() => ({})),
    idleUnloadMs: options.idleUnloadMs ?? 5 * 60_000,
    setupTimeoutMs: options.setupTimeoutMs ?? 10 * 60_000,
    jobsRoot,
  };
}
