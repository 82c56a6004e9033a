/**
 * States of the connection to a coordinator, as one table; siblings: `link.ts` walks it, `session.ts` is one stream.
 *
 * 1. A pair that is not in the table is a bug: `step` throws.
 * 2. `closed` is final; every other state reaches it by `stop` (in `live`: by way of `draining`).
 * 3. Only `live` and `draining` may write anything but hello.
 */

export type LinkState = 'idle' | 'connecting' | 'greeting' | 'live' | 'draining' | 'waiting' | 'closed';

export type LinkEvent =
  /** Begin. */
  | 'start'
  /** The channel is up; hello goes out. */
  | 'opened'
  /** welcome came in. */
  | 'welcomed'
  /** The attempt or the stream ended in a way that may pass. */
  | 'lost'
  /** The coordinator is leaving: flush, end this stream, go to another. */
  | 'leave'
  /** A leaving stream has ended; the agent goes on elsewhere. */
  | 'left'
  /** A leaving stream has ended; the agent is done. */
  | 'finished'
  /** The wait before the next attempt is over. */
  | 'retry'
  /** The credential was refused: no attempt can succeed. */
  | 'refused'
  /** The agent wants to end. */
  | 'stop';

type Table = { readonly [S in LinkState]: { readonly [E in LinkEvent]?: LinkState } };

export const LINK_TRANSITIONS = {
  idle: { start: 'connecting', stop: 'closed' },
  connecting: { opened: 'greeting', lost: 'waiting', refused: 'closed', stop: 'closed' },
  greeting: { welcomed: 'live', lost: 'waiting', refused: 'closed', stop: 'closed' },
  live: { lost: 'waiting', leave: 'draining', refused: 'closed', stop: 'draining' },
  draining: {
    left: 'waiting',
    finished: 'closed',
    lost: 'waiting',
    refused: 'closed',
    leave: 'draining',
    stop: 'draining',
  },
  waiting: { retry: 'connecting', stop: 'closed' },
  closed: { stop: 'closed' },
} as const satisfies Table;

/** Next state; throws for a pair outside the table (1). */
export function step(state: LinkState, event: LinkEvent): LinkState {
  const next = (LINK_TRANSITIONS[state] as Table[LinkState])[event];
  if (next === undefined) throw new Error(`link: ${event} cannot happen in ${state}`);
  return next;
}

/** True where the table has the pair. */
export function allows(state: LinkState, event: LinkEvent): boolean {
  return (LINK_TRANSITIONS[state] as Table[LinkState])[event] !== undefined;
}
