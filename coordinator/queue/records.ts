/**
 * Shapes of the packed records in Redis: msgpack arrays, one constant per position.
 *
 * The Lua scripts use the same positions (plus one, Lua counts from 1); `scripts.ts` prepends them as constants,
 * so this file is the only place they are written down.
 *
 * Invariants:
 * 1. A position, once released, keeps its meaning; new ones are appended.
 * 2. Facts write the counters (`open`, `ok`, `bad`, `fails`) and the non-terminal states; decisions write the rest
 *    and raise `ver`. That split is why facts never conflict.
 * 3. A stored head is the packed array followed by the packed event entries of its log (a msgpack sequence).
 */
import { EVENT_TYPES } from '../../sdk/common/events.ts';
import { State } from '../../sdk/common/states.ts';

function positions<const T extends readonly string[]>(names: T): { readonly [K in T[number]]: number } {
  return Object.fromEntries(names.map((name, index) => [name, index])) as { readonly [K in T[number]]: number };
}

/** Head of a workflow. */
export const HEAD = positions([
  'ver', // rises with every decision
  'facts', // rises with every fact that may need a decision
  'state', // workflow state
  'tenant',
  'createdAt', // ms
  'startedAt', // ms, 0 = not yet
  'completedAt', // ms, 0 = not yet
  'seq', // sequence number of the newest event
  'listed', // event entries moved to the LIST: elements there
  'watch', // coordinator that wants to hear of every event; '*' = several; '' = none
  'reason',
  'message',
  'failedStep', // index, -1 = none
  'cancel', // 0, or 1 once somebody asked for a cancel
  'cancelMessage',
  'closing', // 0, or the state the workflow will end in once its jobs are cleared away
  'dirty', // step indexes with facts no decision has seen
  'stepCount',
  'openSteps', // steps without a terminal state
  'okSteps', // steps that succeeded
  'weight', // fair-queueing weight of the tenant, thousandths
  'requestId',
  'steps', // steps 0..31; later ones stand in chunk fields of 32
] as const);

/** One step inside a head or a chunk. */
export const STEP = positions([
  'state',
  'needs', // dependencies that are not done
  'total', // jobs the fan-out has, -1 = not known yet
  'emitted', // slots emitted so far
  'nextJob', // ordinal of the next job; retries take further ones
  'open', // jobs without a terminal state
  'ok', // jobs that succeeded
  'bad', // jobs that ended otherwise and were not replaced
  'startedAt',
  'completedAt',
  'reason',
  'message',
  'close', // 0, or the state the step will end in once its jobs are cleared away
  'closePos', // ordinal up to which they are
  'fails', // failed jobs no decision has seen: [ordinal, state, reason, message, attempt, slot, retryable]
] as const);

/** One job. */
export const JOB = positions([
  'state',
  'slot', // fan-out index
  'class', // name of its queue
  'band', // 0 low, 1 normal, 2 high
  'score', // first score; recoveries keep it
  'member', // member in the queue zset; '' = not queued
  'cost',
  'token', // live or last fencing token; '' = none
  'agent', // holder or last holder
  'hold', // 0 free, 1 offered, 2 accepted
  'claims',
  'recoveries',
  'attempt', // from 1
  'queuedAt',
  'startedAt',
  'completedAt',
  'input', // JSON text; '' = the plan's literal
  'output', // JSON text
  'reason',
  'message',
  'progress',
  'progressSource', // dibs.v1.ProgressSource
  'replaces', // ordinal of the job it replaces, -1 = none
  'agents', // agents that lost it by a stall
  'runMs', // time the executor ran
  'emitBatch', // last batch of further jobs the live claim asked for
] as const);

/** Steps a head or a chunk field holds. */
export const STEPS_PER_CHUNK = 32;

/** Bytes of events a head carries before they move to the workflow's LIST. */
export const INLINE_EVENT_BYTES = 1024;

/** Bits of the queue score below the band. */
export const BAND_SHIFT = 2 ** 50;

function constants(prefix: string, table: Readonly<Record<string, number>>, base: number): string[] {
  return Object.entries(table).map(([name, position]) => `${prefix}.${name}=${position + base}`);
}

/**
 * Lua source with the constants of this file as tables H, S, J, ST (states) and EV (events).
 * Lua resolves a local table's field in about 30 ns, and 200 locals are the limit: hence tables.
 */
export function recordsPrelude(): string {
  const table = (name: string, source: Readonly<Record<string, number>>, base: number): string =>
    `local ${name}={${constants('', source, base)
      .map((entry) => entry.slice(1))
      .join(',')}}`;
  const events = EVENT_TYPES.map((name, code) => `['${name}']=${code}`).join(',');
  return [
    table('H', HEAD, 1),
    table('S', STEP, 1),
    table('J', JOB, 1),
    table('ST', State, 0),
    `local EV={${events}}`,
    `local STEPS_PER_CHUNK=${STEPS_PER_CHUNK}`,
    `local INLINE_EVENT_BYTES=${INLINE_EVENT_BYTES}`,
    `local BAND_SHIFT=${BAND_SHIFT}`,
  ].join('\n');
}
