/**
 * Events of a workflow's log as the client gives them out.
 *
 * Invariant: after an event for which `isTerminalEvent` holds, nothing follows.
 */
import type { Event__Output as WireEvent, Workflow__Output as WireWorkflow } from '../../proto/gen/index.ts';
import type { Json } from '../common/json.ts';
import { State, stateName } from '../common/states.ts';
import type { StateName } from '../common/states.ts';
import { date, explained, jsonOr, orNull, readWorkflow } from './read-views.ts';
import type { Explained, WorkflowView } from './views.ts';

export const EVENT_TYPES = [
  'workflow.created',
  'workflow.queued',
  'workflow.started',
  'workflow.succeeded',
  'workflow.failed',
  'workflow.expired',
  'workflow.canceled',
  'step.ready',
  'step.started',
  'step.succeeded',
  'step.failed',
  'step.skipped',
  'step.canceled',
  'step.expired',
  'job.queued',
  'job.claimed',
  'job.started',
  'job.progress',
  'job.succeeded',
  'job.failed',
  'job.canceled',
  'job.released',
  'job.stalled',
  'job.recovered',
  'job.expired',
] as const;

/** A newer coordinator may send types that are not in this list. */
export type EventType = (typeof EVENT_TYPES)[number];

export interface LogEvent extends Explained {
  readonly type: EventType;
  /** From 1, without gaps. */
  readonly sequence: number;
  /** Pass to `watch` to go on after this event. */
  readonly cursor: string;
  readonly at: Date | null;
  readonly workflowId: string;
  readonly step: string | null;
  readonly jobId: string | null;
  readonly agentId: string | null;
  /** Of the thing the event is about, after the event. */
  readonly status: StateName;
  /** Further facts: `{"progress": 0.5}`, `{"output": …}`. */
  readonly data: Json;
}

/** The store lost events that were already sent: forget what was seen, `workflow` is the truth now. */
export interface ResyncEvent {
  readonly type: 'resync';
  readonly workflow: WorkflowView;
}

export type WatchEvent = LogEvent | ResyncEvent;

export function readEvent(wire: WireEvent): LogEvent {
  return {
    type: wire.type as EventType,
    sequence: wire.sequence,
    cursor: wire.cursor,
    at: date(wire.atMs),
    workflowId: wire.workflowId,
    step: orNull(wire.step),
    jobId: orNull(wire.jobId),
    agentId: orNull(wire.agentId),
    status: stateName(wire.state),
    ...explained(wire.outcome),
    data: jsonOr(wire.dataJson, null),
  };
}

export function readResync(wire: WireWorkflow): ResyncEvent {
  return { type: 'resync', workflow: readWorkflow(wire) };
}

export function isTerminalEvent(event: WatchEvent): boolean {
  if (event.type === 'resync') return isTerminalStatus(event.workflow.status);
  return event.type.startsWith('workflow.') && isTerminalStatus(event.status);
}

export function isTerminalStatus(status: StateName): boolean {
  const code = State[status];
  return code >= State.succeeded && code <= State.skipped;
}
