/**
 * Makes views (`views.ts`) of the wire's messages. Pure; JSON the server sent wrongly becomes null, never a throw.
 */
import type {
  Agent__Output as WireAgent,
  Job__Output as WireJob,
  JobForecast__Output as WireForecast,
  JobStanding__Output as WireStanding,
  Outcome__Output as WireOutcome,
  Pause__Output as WirePause,
  Queue__Output as WireQueue,
  Step__Output as WireStep,
  TerminalResult__Output as WireResult,
  Workflow__Output as WireWorkflow,
} from '../../proto/gen/index.ts';
import { isJsonObject, parseJson } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { parseState, stateName } from '../common/states.ts';
import type {
  AgentView,
  ClaimEnd,
  Explained,
  ForecastSpan,
  ForecastView,
  JobView,
  PauseView,
  QueueView,
  StandingView,
  StepView,
  WorkflowResult,
  WorkflowView,
} from './views.ts';

const FAIL_MODES = ['fail_fast', 'fail_fast', 'continue', 'best_effort'] as const;
const PRIORITIES = ['normal', 'low', 'normal', 'high'] as const;
const PROGRESS_SOURCES = [null, 'estimated', 'reported'] as const;
const AGENT_STATES = ['unknown', 'connected', 'draining', 'lost', 'paused', 'quarantined', 'canary'] as const;
const NO_COUNTS = { total: 0, succeeded: 0, running: 0, pending: 0, failed: 0, skipped: 0 };

export function readWorkflow(wire: WireWorkflow): WorkflowView {
  return {
    id: wire.id,
    name: wire.name,
    status: stateName(wire.state),
    ...explained(wire.outcome),
    failedStep: orNull(wire.failedStep),
    partial: wire.partial,
    unrunnable: wire.unrunnable,
    unrunnableReason: orNull(wire.unrunnableReason),
    doneIn: spanOf(wire.doneInP50Ms, wire.doneInP90Ms),
    createdAt: date(wire.createdAtMs),
    startedAt: date(wire.startedAtMs),
    completedAt: date(wire.completedAtMs),
    counts: { ...NO_COUNTS, ...wire.counts },
    steps: wire.steps.map(readStep),
    tags: wire.tags,
    metadata: jsonOr(wire.metadataJson, {}),
    arguments: jsonOr(wire.argumentsJson, {}),
    state: jsonOr(wire.stateJson, null),
    failMode: FAIL_MODES[wire.failMode] ?? 'fail_fast',
    requestId: wire.requestId,
    version: wire.version,
    sequence: wire.sequence,
  };
}

function readStep(wire: WireStep): StepView {
  const source = PROGRESS_SOURCES[wire.progressSource] ?? null;
  return {
    name: wire.name,
    type: wire.type,
    status: stateName(wire.state),
    ...explained(wire.outcome),
    startedAt: date(wire.startedAtMs),
    completedAt: date(wire.completedAtMs),
    output: jsonOr(wire.outputJson, null),
    progress: source === null && wire.progress === 0 ? null : wire.progress,
    progressSource: source,
    jobsTotal: wire.jobsTotal,
    jobsSucceeded: wire.jobsSucceeded,
    jobsFailed: wire.jobsFailed,
    jobs: wire.jobs.map(readJob),
    dependsOn: wire.dependsOn,
    priority: PRIORITIES[wire.priority] ?? 'normal',
    metadata: jsonOr(wire.metadataJson, {}),
    doneIn: spanOf(wire.doneInP50Ms, wire.doneInP90Ms),
  };
}

function spanOf(p50Ms: number, p90Ms: number): ForecastSpan | null {
  return p90Ms === 0 ? null : { p50Ms, p90Ms };
}

export function readForecast(wire: WireForecast): ForecastView {
  const span = (p50Ms: number, p90Ms: number): ForecastSpan | null => (wire.known ? { p50Ms, p90Ms } : null);
  return {
    position: wire.position,
    exact: wire.exact,
    costAhead: wire.costAhead,
    eligibleAgents: wire.eligibleAgents,
    likelyAgentId: orNull(wire.likelyAgentId),
    startIn: span(wire.startInP50Ms, wire.startInP90Ms),
    doneIn: span(wire.doneInP50Ms, wire.doneInP90Ms),
    unrunnableReason: orNull(wire.unrunnableReason),
  };
}

export function readStanding(wire: WireStanding): StandingView {
  const source = PROGRESS_SOURCES[wire.progressSource] ?? null;
  return {
    jobId: wire.jobId,
    status: stateName(wire.state),
    forecast: wire.forecast === null ? null : readForecast(wire.forecast),
    progress: source === null ? null : wire.progress,
    progressSource: source,
    agentId: orNull(wire.agentId),
  };
}

function readJob(wire: WireJob): JobView {
  const source = PROGRESS_SOURCES[wire.progressSource] ?? null;
  return {
    id: wire.id,
    status: stateName(wire.state),
    ...explained(wire.outcome),
    agentId: orNull(wire.agentId),
    cost: wire.cost,
    progress: source === null && wire.progress === 0 ? null : wire.progress,
    progressSource: source,
    queuedAt: date(wire.queuedAtMs),
    startedAt: date(wire.startedAtMs),
    completedAt: date(wire.completedAtMs),
    attempt: wire.attempt,
    claims: wire.claims,
    recoveries: wire.recoveries,
    queuePosition: wire.queuePosition === 0 ? null : wire.queuePosition,
    forecast: wire.forecast === null ? null : readForecast(wire.forecast),
    index: wire.index,
    replaces: orNull(wire.replaces),
    queue: wire.queue,
    runnable: wire.runnable,
    blockedReason: orNull(wire.blockedReason),
    output: jsonOr(wire.outputJson, null),
    history: wire.history.map((claim) => ({
      attempt: claim.attempt,
      agentId: claim.agentId,
      end: orNull(claim.end) as ClaimEnd | null,
      reason: orNull(claim.reason),
      claimedAt: date(claim.claimedAtMs),
      startedAt: date(claim.startedAtMs),
      endedAt: date(claim.endedAtMs),
    })),
  };
}

export function readQueue(wire: WireQueue): QueueView {
  return {
    name: wire.name,
    type: wire.type,
    requirement: jsonOr(wire.requirementJson, null),
    waiting: wire.waiting,
    oldestWaitMs: wire.oldestWaitMs,
    eligibleAgents: wire.eligibleAgents,
    closedAgents: wire.closedAgents,
    running: wire.running,
    waitingCost: wire.waitingCost,
    throughput: wire.throughput,
    drainInMs: wire.drainInMs === 0 ? null : wire.drainInMs,
    unrunnableReason: orNull(wire.unrunnableReason),
    stalls: wire.stalls,
    drifts: wire.drifts.map(({ agentId, smallJobs, largeJobs, samples }) => ({
      agentId,
      smallJobs,
      largeJobs,
      samples,
    })),
    forecastQuality:
      wire.forecastQuality === null
        ? null
        : {
            samples: wire.forecastQuality.samples,
            medianError: wire.forecastQuality.medianError,
            withinP90: wire.forecastQuality.withinP90,
          },
    pause: wire.pause && readPause(wire.pause),
  };
}

export function readPause({ by, note, sinceMs }: WirePause): PauseView {
  return { by, note: orNull(note), since: date(sinceMs) };
}

export function readAgent(wire: WireAgent): AgentView {
  const advertised = wire.advertisement;
  const hardware = advertised?.hardware ?? null;
  return {
    id: wire.id,
    name: wire.name,
    version: wire.version,
    status: AGENT_STATES[wire.state] ?? 'unknown',
    coordinatorId: wire.coordinatorId,
    connectedAt: date(wire.connectedAtMs),
    heartbeatAt: date(wire.heartbeatAtMs),
    types: (advertised?.executors ?? []).map((executor) => executor.type).sort(),
    slots: advertised?.slots ?? 0,
    held: wire.held,
    labels: advertised?.labels ?? {},
    hardware: hardware && {
      platform: hardware.platform,
      arch: hardware.arch,
      hostname: hardware.hostname,
      cpuModel: hardware.cpuModel,
      cpuCores: hardware.cpuCores,
      memoryBytes: hardware.memoryBytes,
      gpus: hardware.gpus.map(({ uuid, model, vramBytes }) => ({ uuid, model, vramBytes })),
    },
    throughput: Object.fromEntries(wire.throughput.map((rate) => [rate.type, rate.costPerSecond])),
    cpuLoad: wire.telemetry === null ? null : wire.telemetry.cpuLoad,
    pause: wire.pause && readPause(wire.pause),
    quarantine: wire.quarantine && {
      reason: wire.quarantine.reason,
      by: wire.quarantine.by,
      since: date(wire.quarantine.sinceMs),
      until: date(wire.quarantine.untilMs),
      times: wire.quarantine.times,
    },
  };
}

export function readResult(wire: WireResult): WorkflowResult {
  const parsed = jsonOr(wire.resultJson, {});
  const body = isJsonObject(parsed) ? parsed : {};
  const steps = Array.isArray(body.steps) ? body.steps.filter(isJsonObject) : [];
  return {
    requestId: wire.requestId,
    workflowId: wire.workflowId,
    status: stateName(wire.state),
    ...explained(wire.outcome),
    steps: steps.map((step) => ({
      name: textOf(step.name),
      status: parseState(textOf(step.status)) ?? 'unspecified',
      output: step.output ?? null,
    })),
    succeeded: count(body.succeeded),
    failed: count(body.failed),
    total: count(body.total),
    sequence: wire.sequence,
  };
}

export function explained(outcome: WireOutcome | null): Explained {
  return { reason: orNull(outcome?.reason), message: orNull(outcome?.message) };
}

export function date(ms: number): Date | null {
  return ms === 0 ? null : new Date(ms);
}

/** Parsed JSON; `fallback` for empty or unreadable text. */
export function jsonOr(text: string, fallback: Json): Json {
  if (text === '') return fallback;
  const parsed = parseJson(text);
  return parsed.ok ? parsed.value : fallback;
}

export function orNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function count(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
