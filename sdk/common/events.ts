/**
 * Names of the events in a workflow's log. The position in the list is the code kept in Redis:
 * names may be appended, never moved.
 */
export const EVENT_TYPES = [
  'workflow.created',
  'workflow.started',
  'workflow.succeeded',
  'workflow.failed',
  'workflow.expired',
  'workflow.canceled',
  'workflow.paused',
  'workflow.resumed',
  'workflow.waiting',
  'step.ready',
  'step.started',
  'step.succeeded',
  'step.failed',
  'step.expired',
  'step.canceled',
  'step.skipped',
  'step.waiting',
  'job.queued',
  'job.claimed',
  'job.started',
  'job.progress',
  'job.succeeded',
  'job.failed',
  'job.expired',
  'job.canceled',
  'job.released',
  'job.stalled',
  'job.recovered',
  'job.replaced',
  'job.preparing',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** Code of each event name in the packed log. */
export const EventCode = Object.fromEntries(EVENT_TYPES.map((name, code) => [name, code])) as Readonly<
  Record<EventType, number>
>;

/** True for the one event that ends a log. */
export function isTerminalEvent(type: string): boolean {
  return (
    type === 'workflow.succeeded' ||
    type === 'workflow.failed' ||
    type === 'workflow.expired' ||
    type === 'workflow.canceled'
  );
}
