/**
 * How an agent comes to its end, as one table; `drain.ts` walks it.
 *
 *   serving --drain--> draining --idle--> closing --closed--> ended
 *      |                  | force / deadline
 *      +----- force ------+--> handing_back --handed--> closing
 *
 * 1. There is no way back: a drain cannot be undone.
 * 2. `handing_back` takes no longer than the cancel ladder of the host: leases are released before it, not after.
 */

export type DrainState = 'serving' | 'draining' | 'handing_back' | 'closing' | 'ended';
export type DrainEvent = 'drain' | 'force' | 'idle' | 'handed' | 'closed';

type Table = { readonly [S in DrainState]: { readonly [E in DrainEvent]?: DrainState } };

export const DRAIN_TRANSITIONS = {
  serving: { drain: 'draining', force: 'handing_back' },
  draining: { drain: 'draining', force: 'handing_back', idle: 'closing' },
  handing_back: { drain: 'handing_back', force: 'handing_back', handed: 'closing' },
  closing: { drain: 'closing', force: 'closing', closed: 'ended' },
  ended: { drain: 'ended', force: 'ended' },
} as const satisfies Table;

/** Next state; throws for a pair outside the table. */
export function step(state: DrainState, event: DrainEvent): DrainState {
  const next = (DRAIN_TRANSITIONS[state] as Table[DrainState])[event];
  if (next === undefined) throw new Error(`drain: ${event} cannot happen in ${state}`);
  return next;
}
