/** What an agent says of itself: to `dibs-agent status`, to the status file and to health checks. */
import type { Claims } from '../claim/claims.ts';
import type { Slots } from '../claim/slots.ts';
import type { Offering } from '../capabilities/offering.ts';
import type { DrainState } from '../drain/states.ts';
import type { Link } from '../link/link.ts';
import type { UnackedCompletions } from '../link/unacked.ts';
import type { ThroughputTally } from '../../sdk/common/throughput-tally.ts';

export interface AgentSnapshot {
  readonly pid: number;
  readonly agentId: string;
  readonly name: string;
  readonly version: string;
  readonly startedAt: string;
  /** starting, serving, paused, draining, handing_back, closing, ended. */
  readonly state: string;
  readonly link: { readonly state: string; readonly coordinator: string; readonly lastError: string };
  readonly slots: { readonly total: number; readonly running: number; readonly waiting: number };
  readonly jobs: {
    readonly held: number;
    readonly finished: number;
    readonly refused: number;
    /** Results that came too late. */
    readonly wasted: number;
    /** Results the coordinator has not confirmed. */
    readonly unconfirmed: number;
  };
  readonly executors: readonly {
    readonly type: string;
    readonly concurrency: number;
    readonly isolation: string;
    /** 0 = nothing finished yet. */
    readonly costPerSecond: number;
  }[];
  /** Executors at hand that are not offered, and why. */
  readonly notOffered: readonly { readonly type: string; readonly reason: string }[];
}

/** The parts a snapshot is read from. */
export interface SnapshotParts {
  readonly agentId: string;
  readonly name: string;
  readonly version: string;
  readonly slots: Slots;
  readonly claims: Claims;
  readonly offering: Offering;
  readonly link: Link;
  readonly unacked: UnackedCompletions;
  readonly tally: ThroughputTally;
}

/** `parts` undefined = not up yet. */
export function snapshot(
  drain: DrainState,
  startedAtEpochMs: number,
  parts: SnapshotParts | undefined,
): AgentSnapshot {
  const base = { pid: process.pid, startedAt: new Date(startedAtEpochMs).toISOString() };
  if (parts === undefined) return { ...base, ...NOTHING, state: drain === 'serving' ? 'starting' : drain };
  const { claims, link, slots } = parts;
  const rates = new Map(parts.tally.figures().map(({ type, costPerSecond }) => [type, costPerSecond]));
  return {
    ...base,
    agentId: parts.agentId,
    name: parts.name,
    version: parts.version,
    state: drain === 'serving' && claims.closed === 'paused' ? 'paused' : drain,
    link: { state: link.state, coordinator: link.address, lastError: link.lastError },
    slots: { total: slots.total, running: slots.running, waiting: slots.waiting },
    jobs: {
      held: claims.heldCount,
      finished: claims.counts.finished,
      refused: claims.counts.refused,
      wasted: claims.counts.wasted,
      unconfirmed: parts.unacked.size,
    },
    executors: parts.offering.selection.offered.map(({ type, concurrency, isolation }) => ({
      type,
      concurrency,
      isolation,
      costPerSecond: rates.get(type) ?? 0,
    })),
    notOffered: parts.offering.selection.left,
  };
}

const NOTHING = {
  agentId: '',
  name: '',
  version: '',
  link: { state: 'idle', coordinator: '', lastError: '' },
  slots: { total: 0, running: 0, waiting: 0 },
  jobs: { held: 0, finished: 0, refused: 0, wasted: 0, unconfirmed: 0 },
  executors: [],
  notOffered: [],
} as const;
