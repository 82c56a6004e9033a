/**
 * What goes into the scripts and what comes out: tuples, because Lua reads arrays fastest.
 *
 * Siblings: `lua/*.lua` document each field where they read it; `gen/scripts.ts` (generated from the scripts'
 * headers) names these types.
 */

/** [index, state or 0, needs or -1, total or -1, emitted or -1, reason, message, close or -1, closePos or -1, fails seen] */
export type StepChange = [number, number, number, number, number, string, string, number, number, number];

/** [step, slot, class, band, cost, input ('' = what the plan tells), attempt, replaces or -1, delay ms, queue timeout ms] */
export type JobSpec = [number, number, string, number, number, string, number, number, number, number];

/** [step, from ordinal, to ordinal (exclusive), reason, state of jobs nobody ever claimed] */
export type CancelRange = [number, number, number, string, number];

/** [code, step or -1, ordinal or -1, state, agent, reason, message, data, of how many jobs from that ordinal on] */
export type LogEvent = [number, number, number, number, string?, string?, string?, unknown?, number?];

/** [state or 0, reason, message, failedStep or -1, closing or -1] */
export type WorkflowChange = [number, string, string, number, number];

/** [step, slot of the first, class, band, cost, input of each, or how many jobs whose inputs the plan tells] */
export type RunSpec = [number, number, string, number, number, string[] | number];

/** [workflow or false, steps, jobs, cancels, events, again, further new jobs, from the first run on (runs.ts)] */
export type Change = [
  WorkflowChange | false,
  StepChange[],
  JobSpec[],
  CancelRange[],
  LogEvent[],
  number[],
  (RunSpec | JobSpec)[]?,
];

/** [wid, tenant, weight in thousandths, request id, number of the plan's ARGV, needs of each step, watch, change or its number in `changes`, expire ms] */
export type SubmitItem = [string, string, number, string, number, number[], string, Change | number, number];
/** [wid, tenant, weight in thousandths, request id, number of the plan's ARGV, watch, class, band, cost] */
export type SoloItem = [string, string, number, string, number, string, string, number, number];
export type SubmitReply = ['created' | 'exists', number];

/** [agent, jobs wanted, classes, group of each class (from 1), jobs allowed per group, positions (from 1) of classes nobody else can run] */
export type ClaimAsk = [string, number, string[], number[], number[], number[]?];

/** In turn: a tenant with a cap, and the jobs it may hold in this cell. */
export type Caps = (string | number)[];

/** [shortfall per ask, ask and class (both from 0) in turn of what was left to others] */
export type ClaimShort = [number[], number[]];

/** [ask index, ref, or slice, token of the first, attempt, cost (-1 = the plan's), input ('' = what the plan tells, false = the run's), slot of the first, head follows] */
export type Grant = [number, string, string, number, number, string | false, number, boolean];

/** [ref, token, state, output, reason, message, retryable 0|1, start age ms, run ms, ver, facts, change or its number in `changes` or false, seen, why content was blocked, whether it was claimed as one of a run] */
export type CompleteItem = [
  string,
  string,
  number,
  string,
  string,
  string,
  number,
  number,
  number,
  number,
  number,
  Change | number | false,
  number[],
  string?,
  boolean?,
];
/** Successes of jobs of one run: [wid, step, ordinals, tokens' numbers, their random half, outputs, start ages ms, run ms] */
export type CompletedSlice = [string, number, number[], number[], string, string[], number[], number[]];
/** [ok | done | lost, decision committed 0|1, decision due 0|1, workflow state] */
export type CompleteReply = ['ok' | 'done' | 'lost', number, number, number];

/** [ref, token, agent, reason]: a running attempt its agent must stop. */
export type Told = [string, string, string, string];

/** [wid, ver, facts, change, seen] */
export type DecideItem = [string, number, number, Change, number[]];
/** [ok | conflict | gone, facts left 0|1, workflow state] */
export type DecideReply = ['ok' | 'conflict' | 'gone', number, number];

/** [ref, token, start age ms or NOT_STARTED or PREPARED, attempt timeout ms, what is prepared as JSON text] */
export type AcceptItem = [string, string, number, number, string?];
/** Start ages of jobs that have not begun. */
export const NOT_STARTED = -1;
export const PREPARED = -2;
export type AcceptReply = 'ok' | 'done' | 'lost';
export type EmitReply = AcceptReply | 'wait';

/** [ref, token, fraction, message] */
export type ProgressItem = [string, string, number, string];

/** [ref, token, batch from 1, inputs as JSON text] */
export type EmitItem = [string, string, number, string[]];

/** Ref of a job that may be called stalled → [data of its event as JSON text, one word for people]. */
export type StallNotes = Record<string, [string, string]>;

/** [ref, token, reason] */
export type ReleaseItem = [string, string, string];
