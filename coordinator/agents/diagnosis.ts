/**
 * What was last known of the process of a job that is about to be called stalled.
 *
 * | word | the agent's last heartbeat that showed the process said |
 * |---|---|
 * | swapped | at least half of its memory lay on swap |
 * | busy | it used the CPU: more than a twentieth of a core |
 * | idle | it did not |
 * | unknown | nothing: the agent never showed a process for this job, or is forgotten |
 *
 * Invariant: a diagnosis is an addition. Where none can be made the sweep goes on without.
 */
import type { Telemetry__Output } from '../../proto/gen/index.ts';
import type { StallNotes } from '../queue/items.ts';
import { jobId, keys, parseJobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import type { AgentRecord, Fleet } from './fleet.ts';

/** Leases one sweep looks at; also bounds what is read here. */
const MAX_LEASES = 64;
/** Leases that end this soon are diagnosed as well: the script's clock decides, not ours. */
const AHEAD_MS = 5000;

/** Cores, above which a process was busy. */
const BUSY_CORES = 0.05;
/** Share of its memory on swap, from which on a process was swapped out. */
const SWAPPED_SHARE = 0.5;

export type StallWord = 'swapped' | 'busy' | 'idle' | 'unknown';

/** Data of the event `job.stalled`. */
export interface StallDiagnosis {
  /** Time since the last sign of life of the job: at least a lease. */
  readonly silentMs: number;
  readonly diagnosis: StallWord;
  /** In cores, as the last heartbeat that showed the process said; likewise what follows. */
  readonly cpu?: number;
  readonly memoryBytes?: number;
  readonly swapBytes?: number;
  /** Time since that heartbeat, or since the agent's last one where none showed the process. */
  readonly heartbeatAgeMs?: number;
}

type Usage = Telemetry__Output['processes'][number];

export function diagnose(
  job: { readonly id: string; readonly silentMs: number },
  record: Pick<AgentRecord, 'telemetry' | 'telemetryAtMs'> | undefined,
  nowMs: number,
): StallDiagnosis {
  const age =
    record === undefined || record.telemetryAtMs === 0
      ? {}
      : { heartbeatAgeMs: Math.max(0, nowMs - record.telemetryAtMs) };
  const usage = record?.telemetry?.processes.find((process) => process.jobId === job.id);
  if (usage === undefined) return { silentMs: job.silentMs, diagnosis: 'unknown', ...age };
  const { cpu, memoryBytes, swapBytes } = usage;
  return { silentMs: job.silentMs, diagnosis: wordFor(usage), cpu, memoryBytes, swapBytes, ...age };
}

function wordFor({ cpu, memoryBytes, swapBytes }: Usage): StallWord {
  if (swapBytes > 0 && swapBytes >= SWAPPED_SHARE * (memoryBytes + swapBytes)) return 'swapped';
  return cpu > BUSY_CORES ? 'busy' : 'idle';
}

export interface DiagnosisOptions {
  readonly store: Store;
  readonly reads: Reads;
  readonly fleet: Fleet;
  readonly leaseMs: number;
  readonly now: () => number;
}

/** For a sweep that follows at once: ref → what its event says. Mostly one cheap read that finds nothing. */
export async function diagnoseDue(options: DiagnosisOptions, cell: Cell): Promise<StallNotes> {
  const { store, reads, fleet, leaseMs, now } = options;
  const nowMs = now();
  const due = await store.redis.zrangebyscore(
    keys.leases(cell),
    '-inf',
    nowMs + AHEAD_MS,
    'WITHSCORES',
    'LIMIT',
    0,
    MAX_LEASES,
  );
  if (due.length === 0) return {};
  const notes: StallNotes = {};
  const refs = due.filter((_, i) => i % 2 === 0);
  const jobs = await Promise.all(
    refs.map(async (ref) => {
      const { wid, step, ordinal } = parseJobRef(ref);
      const [job] = await reads.jobs(cell, wid, step, ordinal, ordinal + 1);
      return job;
    }),
  );
  const agents = await fleet.records(new Set(jobs.flatMap((job) => job?.agent ?? [])));
  refs.forEach((ref, i) => {
    const job = jobs[i];
    if (job === undefined) return;
    const silentMs = Math.max(leaseMs, Math.round(nowMs - Number(due[2 * i + 1]) + leaseMs));
    const found = diagnose({ id: jobId(ref), silentMs }, agents.get(job.agent), nowMs);
    notes[ref] = [JSON.stringify(found), found.diagnosis];
  });
  return notes;
}
