/**
 * Events of a workflow's log as the client gives them out.
 *
 * Invariant: after an event for which `isTerminalEvent` holds, nothing follows.
 */
import type { Event__Output as WireEvent, Workflow__Output as WireWorkflow } from '../../proto/gen/index.ts';
import { isTerminalEvent as endsLog } from '../common/events.ts';
import type { EventType } from '../common/events.ts';
import type { Json } from '../common/json.ts';
import { State, stateName } from '../common/states.ts';
import type { StateName } from '../common/states.ts';
import { date, explained, jsonOr, orNull, readWorkflow } from './read-views.ts';
import type { Explained, WorkflowView } from './views.ts';

export interface LogEvent extends Explained {
  /** A newer coordinator may send types that are not in this list. */
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
  /** Further facts: `{"progress": 0.5}`, `{"output": …}`; of a stall `{"silentMs", "diagnosis": "busy" | "idle" | "swapped" | "unknown", …}`. */
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
  return event.type === 'resync' ? isTerminalStatus(event.workflow.status) : endsLog(event.type);
}

export function isTerminalStatus(status: StateName): boolean {
  const code = State[status];
  return code >= State.succeeded && code <= State.skipped;
}
