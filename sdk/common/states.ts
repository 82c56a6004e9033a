/**
 * The one state enum of workflows, steps and jobs, as words.
 *
 * The numbers are those of `dibs.v1.State` and of the packed records in Redis: they never change meaning.
 */

export const STATES = [
  'unspecified',
  'unassigned',
  'preparing',
  'scheduled',
  'processing',
  'succeeded',
  'failed',
  'expired',
  'canceled',
  'skipped',
  'waiting',
  'paused',
  'deferred',
] as const;

export type StateName = (typeof STATES)[number];

/** Number of each state on the wire and in Redis. */
export const State = {
  unspecified: 0,
  unassigned: 1,
  preparing: 2,
  scheduled: 3,
  processing: 4,
  succeeded: 5,
  failed: 6,
  expired: 7,
  canceled: 8,
  skipped: 9,
  waiting: 10,
  paused: 11,
  deferred: 12,
} as const satisfies Record<StateName, number>;

export type StateCode = (typeof State)[StateName];

const ALIASES: Record<string, StateName> = {
  cancelled: 'canceled',
  completed: 'succeeded',
  running: 'processing',
  pending: 'unassigned',
};

/** Word for a state number; `unspecified` for a number nobody knows. */
export function stateName(code: number): StateName {
  return STATES[code] ?? 'unspecified';
}

/** State for a word; the spellings `cancelled`, `completed`, `running`, `pending` are accepted on input. */
export function parseState(word: string): StateName | undefined {
  const lower = word.toLowerCase();
  if ((STATES as readonly string[]).includes(lower) && lower !== 'unspecified') return lower as StateName;
  return Object.hasOwn(ALIASES, lower) ? ALIASES[lower] : undefined;
}

/** True for a state that never changes again. */
export function isTerminal(code: number): boolean {
  return code >= State.succeeded && code <= State.skipped;
}
