/**
 * What the client returns: the wire's messages with words for enums, dates for milliseconds, JSON parsed and null
 * for "not yet" or "nothing". `status` is the lifecycle state; `state` is the caller's own opaque JSON.
 *
 * `read-views.ts` makes them.
 */
import type { Json } from '../common/json.ts';
import type { StateName } from '../common/states.ts';
import type { FailModeName, PriorityName } from './workflow-input.ts';

/** Why something did not succeed; both null when there is nothing to explain. */
export interface Explained {
  /** Stable UPPER_SNAKE code. */
  readonly reason: string | null;
  /** A sentence for people. */
  readonly message: string | null;
}

export interface WorkflowView extends Explained {
  readonly id: string;
  readonly name: string;
  readonly status: StateName;
  readonly failedStep: string | null;
  /** `best_effort`: some steps did not succeed. */
  readonly partial: boolean;
  /** A job of it waits that no connected agent can run. */
  readonly unrunnable: boolean;
  /** The requirement, the agent that comes nearest and what it lacks; null when every waiting job can be run. */
  readonly unrunnableReason: string | null;
  /** Milliseconds until it is done by its critical path; null = over, or not known. */
  readonly doneIn: ForecastSpan | null;
  readonly createdAt: Date | null;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly counts: CountsView;
  readonly steps: readonly StepView[];
  readonly tags: readonly string[];
  readonly metadata: Json;
  readonly arguments: Json;
  readonly state: Json;
  readonly failMode: FailModeName;
  readonly requestId: string;
  readonly version: number;
  /** Of the newest event. */
  readonly sequence: number;
}

export interface CountsView {
  readonly total: number;
  readonly succeeded: number;
  readonly running: number;
  readonly pending: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface StepView extends Explained {
  readonly name: string;
  readonly type: string;
  readonly status: StateName;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** Null until it has succeeded. */
  readonly output: Json;
  /** 0 to 1; null before anybody knows. */
  readonly progress: number | null;
  readonly progressSource: ProgressSourceName | null;
  readonly jobsTotal: number;
  readonly jobsSucceeded: number;
  readonly jobsFailed: number;
  /** Only when asked for. */
  readonly jobs: readonly JobView[];
  readonly dependsOn: readonly string[];
  readonly priority: PriorityName;
  readonly metadata: Json;
  /** Milliseconds until its last job is done; null = over, or not known. */
  readonly doneIn: ForecastSpan | null;
}

/** Half of all forecasts are over by p50, nine of ten by p90. */
export interface ForecastSpan {
  readonly p50Ms: number;
  readonly p90Ms: number;
}

/** Where a waiting job stands, and when its turn comes. */
export interface ForecastView {
  /** Place in the queue of the agent most likely to claim it next, from 1. */
  readonly position: number;
  readonly exact: boolean;
  /** Cost of all jobs before it. */
  readonly costAhead: number;
  readonly eligibleAgents: number;
  readonly likelyAgentId: string | null;
  /** Milliseconds until it starts, and until it is done; null where no agent's throughput is known. */
  readonly startIn: ForecastSpan | null;
  readonly doneIn: ForecastSpan | null;
  /** Why no connected agent can run it; null when one can. */
  readonly unrunnableReason: string | null;
}

export type ProgressSourceName = 'estimated' | 'reported';

export interface JobView extends Explained {
  readonly id: string;
  readonly status: StateName;
  readonly agentId: string | null;
  readonly cost: number;
  readonly progress: number | null;
  readonly progressSource: ProgressSourceName | null;
  readonly queuedAt: Date | null;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly attempt: number;
  readonly claims: number;
  readonly recoveries: number;
  /** From 1; null when not queued. */
  readonly queuePosition: number | null;
  /** Only while it waits in its queue. */
  readonly forecast: ForecastView | null;
  readonly index: number;
  readonly replaces: string | null;
  readonly queue: string;
  readonly runnable: boolean;
  readonly blockedReason: string | null;
  readonly output: Json;
  /** Every hold an agent had on it, oldest first, those on the jobs it replaces included; the newest 17. */
  readonly history: readonly ClaimView[];
}

/** One agent's hold on a job. */
export interface ClaimView {
  /** Attempt it was part of, from 1. */
  readonly attempt: number;
  readonly agentId: string;
  /** How it ended; null while it lasts. */
  readonly end: ClaimEnd | null;
  readonly reason: string | null;
  readonly claimedAt: Date | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export type ClaimEnd =
  | 'released'
  | 'offer_lapsed'
  | 'stalled'
  | 'succeeded'
  | 'failed'
  | 'expired'
  | 'canceled';

export interface QueueView {
  readonly name: string;
  readonly type: string;
  readonly requirement: Json;
  readonly waiting: number;
  readonly oldestWaitMs: number;
  readonly eligibleAgents: number;
  /** Agents of these that take nothing now. */
  readonly closedAgents: number;
  /** Jobs that agents hold. */
  readonly running: number;
  readonly waitingCost: number;
  /** Cost a second of its agents together, all slots busy. */
  readonly throughput: number;
  /** Milliseconds until what waits now has started; null where nothing waits or it is not known. */
  readonly drainInMs: number | null;
  readonly unrunnableReason: string | null;
  /** Of its jobs, found by this coordinator since it started. */
  readonly stalls: number;
  /** Agents whose run times differ from the declared cost: time per unit of cost of small and of large jobs, over that of all. */
  readonly drifts: readonly {
    readonly agentId: string;
    readonly smallJobs: number;
    readonly largeJobs: number;
    readonly samples: number;
  }[];
  /** Of forecasts lately; null before the first. */
  readonly forecastQuality: {
    readonly samples: number;
    readonly medianError: number;
    readonly withinP90: number;
  } | null;
  /** Set while no claims are taken from it. */
  readonly pause: PauseView | null;
}

/** Why claims are not taken from a queue, or by an agent. */
export interface PauseView {
  readonly by: string;
  readonly note: string | null;
  readonly since: Date | null;
}

/** Why an agent is shut out. */
export interface QuarantineView {
  readonly reason: string;
  readonly by: string;
  readonly since: Date | null;
  /** When it goes on trial; null = when an operator releases it. */
  readonly until: Date | null;
  /** How often it went back since it last did well. */
  readonly times: number;
}

export interface AgentView {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly status: 'connected' | 'draining' | 'lost' | 'paused' | 'quarantined' | 'canary' | 'unknown';
  readonly coordinatorId: string;
  readonly connectedAt: Date | null;
  readonly heartbeatAt: Date | null;
  readonly types: readonly string[];
  readonly slots: number;
  readonly held: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly hardware: HardwareView | null;
  /** Cost per second lately, by step type. */
  readonly throughput: Readonly<Record<string, number>>;
  /** Share of all cores, 0 to 1. */
  readonly cpuLoad: number | null;
  readonly pause: PauseView | null;
  /** Set while it is shut out or on trial. */
  readonly quarantine: QuarantineView | null;
}

export interface HardwareView {
  readonly platform: string;
  readonly arch: string;
  readonly hostname: string;
  readonly cpuModel: string;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly gpus: readonly { readonly uuid: string; readonly model: string; readonly vramBytes: number }[];
}

/** What the terminal result of a workflow says. */
export interface WorkflowResult extends Explained {
  readonly requestId: string;
  readonly workflowId: string;
  readonly status: StateName;
  readonly steps: readonly { readonly name: string; readonly status: StateName; readonly output: Json }[];
  readonly succeeded: number;
  readonly failed: number;
  readonly total: number;
  /** Sequence number of the terminal event. */
  readonly sequence: number;
}

/** Where a watched job stands. */
export interface StandingView {
  readonly jobId: string;
  readonly status: StateName;
  readonly forecast: ForecastView | null;
  /** 0 to 1; null before anybody knows. */
  readonly progress: number | null;
  readonly progressSource: ProgressSourceName | null;
  readonly agentId: string | null;
}

/** Why a job waits, or what holds it. */
export interface JobExplanation {
  readonly jobId: string;
  readonly status: StateName;
  readonly summary: string;
  readonly queue: string;
  /** What it needs, in words. */
  readonly requirement: string;
  readonly forecast: ForecastView | null;
  /** Agents that cannot take it now, by the first thing that stands against it, most agents first. */
  readonly missed: readonly {
    readonly reason: string;
    readonly agents: number;
    readonly example: string;
    readonly exampleAgentId: string;
  }[];
  readonly nearest: {
    readonly agentId: string;
    readonly agentName: string;
    readonly reason: string;
    readonly message: string;
    readonly advice: string;
  } | null;
  readonly openAgents: readonly string[];
  /** What else keeps it: a pause, a limit. */
  readonly holds: readonly string[];
}

/** Why an agent gets nothing. */
export interface AgentExplanation {
  readonly agentId: string;
  readonly agentName: string;
  readonly summary: string;
  /** Waiting jobs it does not take, by the first thing that stands against them, most jobs first. */
  readonly skipped: readonly {
    readonly reason: string;
    readonly jobs: number;
    readonly example: string;
    readonly exampleQueue: string;
  }[];
  readonly runnableJobs: number;
}
