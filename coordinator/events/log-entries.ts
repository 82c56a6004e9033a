/**
 * A workflow's log as events: from packed entries (one a commit) to what consumers see.
 *
 * Invariant: sequence numbers come from the entries alone: first sequence plus position; an event that names several jobs
 * is as many events.
 */
import { EVENT_TYPES } from '../../sdk/common/events.ts';
import type { EventType } from '../../sdk/common/events.ts';
import type { LogEvent } from '../queue/items.ts';

/** [first sequence, at ms, commit tag, events] */
export type LogEntry = [number, number, string, LogEvent[]];

export interface LoggedEvent {
  readonly sequence: number;
  readonly tag: string;
  readonly atMs: number;
  readonly type: EventType;
  /** Step index, -1 = none. */
  readonly step: number;
  /** Job ordinal, -1 = none. */
  readonly ordinal: number;
  readonly state: number;
  readonly agent: string;
  readonly reason: string;
  readonly message: string;
  /** job.progress: the fraction; job.stalled: JSON text of the diagnosis; job.preparing: JSON text of the file. */
  readonly data: unknown;
}

export function expandEntries(entries: readonly LogEntry[]): LoggedEvent[] {
  const events: LoggedEvent[] = [];
  for (const [first, atMs, tag, list] of entries) {
    let sequence = first;
    for (const [code, step, ordinal, state, agent = '', reason = '', message = '', data, times = 1] of list) {
      const type = EVENT_TYPES[code] as EventType;
      const about = { tag, atMs, type, step, state, agent, reason, message };
      for (let i = 0; i < times; i++) {
        events.push({
          ...about,
          sequence: sequence++,
          ordinal: ordinal + i,
          data: times > 1 ? undefined : data,
        });
      }
    }
  }
  return events;
}

/** Opaque position after an event: its sequence and the tag of the commit that wrote it. */
export function cursorOf(event: LoggedEvent): string {
  return `${event.sequence}.${event.tag}`;
}

/** Undefined for a text that is no cursor. */
export function parseCursor(cursor: string): { readonly sequence: number; readonly tag: string } | undefined {
  const match = /^(\d{1,15})\.([\w-]{1,32})$/.exec(cursor);
  return match === null ? undefined : { sequence: Number(match[1]), tag: match[2] as string };
}
