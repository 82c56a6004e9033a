/**
 * Shapes of the records in Redis: fixed-offset struct fields, then texts with their length in front.
 *
 * The field lists below are the only place where a layout is written down: the Lua scripts use positions in a table
 * (H.ver, J.token, …: `scripts.ts` puts the numbers in their place) and pack or unpack a record with one struct call
 * made from the same list; TypeScript reads the fields in the same order (a test holds both together). Numbers cost a script 20 ns a field this way, as
 * msgpack 50; a record read and written as a whole 1.1 µs against 2.0 (docs/adr/0002).
 *
 * Invariants:
 * 1. A field, once released, keeps its place; a new layout gets a new value of `LAYOUT` (queue/cells.ts).
 * 2. Facts write the counters (`open`, `ok`, `bad`, the failures in `notes`) and the non-terminal states; decisions
 *    write the rest and raise `ver`. That split is why facts never conflict.
 * 3. A stored head is its record, `stepsBytes` bytes of step records, and the msgpack event entries of its log.
 */
import { EVENT_TYPES } from '../../sdk/common/events.ts';
import { State } from '../../sdk/common/states.ts';

/**
 * Unsigned numbers of 1, 2, 4 and 6 bytes, a signed one of 4, a double; texts with a length of 1, 2 and 4 bytes.
 * All big-endian; texts come last.
 */
type Form = 'B' | 'H' | 'I4' | 'I6' | 'i4' | 'd' | 'Bs' | 'Hs' | 'I4s';
type Fields = readonly (readonly [name: string, form: Form])[];

/** Head of a workflow. */
export const HEAD_FIELDS = [
  ['ver', 'I4'], // rises with every decision
  ['facts', 'I4'], // rises with every fact that may need a decision
  ['state', 'B'], // workflow state
  ['seq', 'I4'], // sequence number of the newest event
  ['listed', 'I4'], // event entries moved to the LIST: elements there
  ['failedStep', 'i4'], // index, -1 = none
  ['cancel', 'B'], // 0, 1 once somebody asked for a cancel, 2 when its time ran out
  ['closing', 'B'], // 0, or the state the workflow will end in once its jobs are cleared away
  ['stepCount', 'I4'],
  ['openSteps', 'I4'], // steps without a terminal state
  ['okSteps', 'I4'], // steps that succeeded
  ['weight', 'I4'], // fair-queueing weight of the tenant, thousandths
  ['createdAt', 'I6'], // ms
  ['startedAt', 'I6'], // ms, 0 = not yet
  ['completedAt', 'I6'], // ms, 0 = not yet
  ['stepsBytes', 'I4'], // bytes of the step records that follow: steps 0..31; later ones stand in chunk fields of 32
  ['tenant', 'Hs'],
  ['watch', 'Hs'], // coordinator that wants to hear of every event; '*' = several; '' = none
  ['dirty', 'Hs'], // indexes of steps with facts no decision has seen, 4 bytes each, signed; -1 = the workflow itself
  ['requestId', 'Hs'],
  ['reason', 'I4s'],
  ['message', 'I4s'],
  ['cancelMessage', 'I4s'],
] as const satisfies Fields;

/** One step behind a head, or in a chunk field. */
export const STEP_FIELDS = [
  ['state', 'B'],
  ['needs', 'I4'], // dependencies that are not done
  ['total', 'i4'], // jobs the fan-out has, -1 = not known yet
  ['emitted', 'I4'], // slots emitted so far
  ['nextJob', 'I4'], // ordinal of the next job; retries take further ones
  ['open', 'I4'], // jobs without a terminal state
  ['ok', 'I4'], // jobs that succeeded
  ['bad', 'i4'], // jobs that ended otherwise and were not replaced
  ['startedAt', 'I6'],
  ['completedAt', 'I6'],
  ['close', 'B'], // 0, or the state the step will end in once its jobs are cleared away
  ['closePos', 'I4'], // ordinal up to which they are
  // '' or msgpack [reason, message, fails]; fails: failed jobs no decision has seen, each
  // [ordinal, state, reason, message, attempt, slot, retryable].
  ['notes', 'I4s'],
] as const satisfies Fields;

/** One job. */
export const JOB_FIELDS = [
  ['state', 'B'],
  ['hold', 'B'], // 0 free, 1 offered, 2 accepted
  ['band', 'B'], // 0 low, 1 normal, 2 high
  ['progressSource', 'B'], // dibs.v1.ProgressSource
  ['claims', 'H'],
  ['recoveries', 'H'],
  ['attempt', 'I4'], // from 1
  ['slot', 'I4'], // fan-out index
  ['replaces', 'i4'], // ordinal of the job it replaces, -1 = none
  ['emitBatch', 'I6'], // last batch of further jobs it asked for, in whatever claim or attempt
  ['queuedAt', 'I6'],
  ['claimedAt', 'I6'], // of the live or last claim, 0 = not claimed
  ['startedAt', 'I6'],
  ['completedAt', 'I6'],
  ['runMs', 'I6'], // time the executor ran
  ['score', 'd'], // first score; recoveries keep it
  ['cost', 'd'],
  ['progress', 'd'],
  ['token', 'Bs'], // live or last fencing token; '' = none
  ['agent', 'Hs'], // holder or last holder
  ['class', 'Hs'], // name of its queue
  ['member', 'Bs'], // member in the queue zset; '' = not queued
  ['input', 'I4s'], // JSON text; '' = what the plan tells
  ['output', 'I4s'], // JSON text
  ['reason', 'I4s'],
  ['message', 'I4s'], // while it is prepared: JSON text of the file
  ['agents', 'I4s'], // agents that lost it by a stall, or failed what it replaces; with commas
  ['blocked', 'I4s'], // why its content was blocked
  // '' or msgpack list of the claims before the live or last one, newest last, each
  // [attempt, agent, end, reason, claimedAt, startedAt, endedAt].
  ['history', 'I4s'],
] as const satisfies Fields;

/**
 * A workflow of one step with one job, in one record, for as long as it takes the plain way: created, claimed, succeeded.
 * While it is claimed the claim stands beside it (HOLD_FIELDS) and the record still says `unassigned`: a claim then neither
 * reads nor writes it. Whatever else happens turns it into head, step and job records first (`expand` in lua/lib/cell.lua, solo.ts).
 */
export const SOLO_FIELDS = [
  ['mark', 'B'], // 255: no head begins so
  ['state', 'B'], // unassigned, scheduled or succeeded; of workflow, step and job
  ['band', 'B'],
  ['createdAt', 'I6'], // ms
  ['claimedAt', 'I6'], // ms, 0 = not yet
  ['startedAt', 'I6'], // ms, 0 = not yet
  ['completedAt', 'I6'], // ms, 0 = not yet
  ['runMs', 'I6'],
  ['weight', 'I4'],
  ['place', 'I6'], // sequence number its queue member begins with
  ['score', 'd'],
  ['cost', 'd'],
  ['token', 'Bs'],
  ['created', 'Bs'], // tags of the commits that created, claimed and ended it
  ['claimed', 'Bs'],
  ['ended', 'Bs'],
  ['agent', 'Hs'],
  ['watch', 'Hs'],
  ['tenant', 'Hs'],
  ['requestId', 'Hs'],
  ['class', 'Hs'],
  ['output', 'I4s'],
] as const satisfies Fields;

/** The live claim of a solo record's job. */
export const HOLD_FIELDS = [
  ['claimedAt', 'I6'], // ms
  ['token', 'Bs'],
  ['claimed', 'Bs'], // tag of the commit
  ['agent', 'Hs'],
] as const satisfies Fields;

/**
 * Jobs of one step that were made together and that nothing but a claim has happened to: lib/run.lua. Their inputs stand beside
 * it, one msgpack list; whatever else happens to one of them gives it a record of its own.
 */
export const RUN_FIELDS = [
  ['from', 'I4'], // ordinal of the first job
  ['count', 'B'], // jobs it was made with
  ['next', 'B'], // position of the first job that waits
  ['open', 'B'], // jobs that are in it: they wait, or are held
  ['stands', 'B'], // its entry: 0 nowhere, 1 in the queue, 2 parked with its workflow
  ['band', 'B'],
  ['planned', 'B'], // 1: the plan tells the input of each
  ['slot', 'I4'], // of the first job
  ['queuedAt', 'I6'], // ms
  ['place', 'I6'], // sequence number of the first job
  ['score', 'd'], // of the first job; each further one's is `spacing` higher, that of its entry at most `cap`
  ['spacing', 'd'],
  ['cap', 'd'],
  ['cost', 'd'],
  ['class', 'Hs'],
  ['gone', 'Bs'], // positions from `next` on of jobs that have left, one byte each
  ['done', 'Bs'], // positions before `next` of jobs that have left
  ['chunks', 'Bs'], // jobs that ended well together: position of the first, and how many
  ['holds', 'Hs'], // its live claims: records of SLICE_FIELDS
] as const satisfies Fields;

/** A claim of consecutive jobs of a run. The token of each has the number after that of the one before. */
export const SLICE_FIELDS = [
  ['from', 'B'], // position of the first
  ['count', 'B'],
  ['left', 'B'], // of these, jobs that are still in the run
  ['claimedAt', 'I6'], // ms
  ['fence', 'I6'], // number in the first one's token
  ['random', 'Bs'],
  ['agent', 'Hs'],
] as const satisfies Fields;

/**
 * What jobs of a run that ended well together have left, msgpack: when they ended and were claimed, the number in the first one's token
 * (the others' follow), its random half, the agent, and a list each of the ages of their starts at that end, their run times and outputs.
 */
export type ChunkRecord = [
  completedAt: number,
  claimedAt: number,
  fence: number,
  random: string,
  agent: string,
  startAges: number[],
  runMs: number[],
  outputs: string[],
];

/** Ordinals of one block; a run lies in one block. */
export const RUN_JOBS = 64;

/** First byte of a solo record. */
export const SOLO_MARK = 255;

type NameOf<F extends Fields> = F[number][0];
type TextNames<F extends Fields> = Extract<F[number], readonly [string, 'Bs' | 'Hs' | 'I4s']>[0];

const SIZES: Readonly<Record<Form, number>> = { B: 1, H: 2, I4: 4, I6: 6, i4: 4, d: 8, Bs: 1, Hs: 2, I4s: 4 };

/** Takes one field after the other. A loop over the field lists takes five times as long as the literals below. */
class Cursor {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  u8(): number {
    return this.#bytes[this.at++] as number;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  u48(): number {
    return this.u16() * 0x100000000 + this.u32();
  }

  i32(): number {
    return this.u32() | 0;
  }

  f64(): number {
    this.at += 8;
    return this.#bytes.readDoubleBE(this.at - 8);
  }

  text(length: number): string {
    if (length === 0) return '';
    this.at += length;
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  bytes(length: number): Buffer | '' {
    if (length === 0) return '';
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}

type Text<F extends Fields, Raw extends string> = { [K in Exclude<TextNames<F>, Raw>]: string };
type Raws<Raw extends string> = { [K in Raw]: Buffer | '' };
type Numbers<F extends Fields> = { [K in Exclude<NameOf<F>, TextNames<F>>]: number };

export type HeadRecord = Numbers<typeof HEAD_FIELDS> & Text<typeof HEAD_FIELDS, 'dirty'> & Raws<'dirty'>;
export type StepRecord = Numbers<typeof STEP_FIELDS> & Text<typeof STEP_FIELDS, 'notes'> & Raws<'notes'>;
export type SoloRecord = Numbers<typeof SOLO_FIELDS> & Text<typeof SOLO_FIELDS, never>;
export type HoldRecord = Numbers<typeof HOLD_FIELDS> & Text<typeof HOLD_FIELDS, never>;
export type RunRecord = Numbers<typeof RUN_FIELDS> &
  Text<typeof RUN_FIELDS, 'gone' | 'done' | 'chunks' | 'holds'> &
  Raws<'gone' | 'done' | 'chunks'> & {
    readonly holds: readonly SliceRecord[];
  };
export type SliceRecord = Numbers<typeof SLICE_FIELDS> & Text<typeof SLICE_FIELDS, never>;
export type JobFields = Numbers<typeof JOB_FIELDS> & Text<typeof JOB_FIELDS, 'history'> & Raws<'history'>;

// The fields in the order of the lists above; a test holds both together.

/** The record of a stored head, and where it ends: there its step records begin. */
export function readHeadRecord(bytes: Buffer): { head: HeadRecord; end: number } {
  const from = new Cursor(bytes, 0);
  const head: HeadRecord = {
    ver: from.u32(),
    facts: from.u32(),
    state: from.u8(),
    seq: from.u32(),
    listed: from.u32(),
    failedStep: from.i32(),
    cancel: from.u8(),
    closing: from.u8(),
    stepCount: from.u32(),
    openSteps: from.u32(),
    okSteps: from.u32(),
    weight: from.u32(),
    createdAt: from.u48(),
    startedAt: from.u48(),
    completedAt: from.u48(),
    stepsBytes: from.u32(),
    tenant: from.text(from.u16()),
    watch: from.text(from.u16()),
    dirty: from.bytes(from.u16()),
    requestId: from.text(from.u16()),
    reason: from.text(from.u32()),
    message: from.text(from.u32()),
    cancelMessage: from.text(from.u32()),
  };
  return { head, end: from.at };
}

/** Step records from `start` to `end`. */
export function readStepRecords(bytes: Buffer, start: number, end: number): StepRecord[] {
  const from = new Cursor(bytes, start);
  const steps: StepRecord[] = [];
  while (from.at < end) steps.push(readStepRecord(from));
  return steps;
}

function readStepRecord(from: Cursor): StepRecord {
  return {
    state: from.u8(),
    needs: from.u32(),
    total: from.i32(),
    emitted: from.u32(),
    nextJob: from.u32(),
    open: from.u32(),
    ok: from.u32(),
    bad: from.i32(),
    startedAt: from.u48(),
    completedAt: from.u48(),
    close: from.u8(),
    closePos: from.u32(),
    notes: from.bytes(from.u32()),
  };
}

export function readJobRecord(bytes: Buffer): JobFields {
  const from = new Cursor(bytes, 0);
  return {
    state: from.u8(),
    hold: from.u8(),
    band: from.u8(),
    progressSource: from.u8(),
    claims: from.u16(),
    recoveries: from.u16(),
    attempt: from.u32(),
    slot: from.u32(),
    replaces: from.i32(),
    emitBatch: from.u48(),
    queuedAt: from.u48(),
    claimedAt: from.u48(),
    startedAt: from.u48(),
    completedAt: from.u48(),
    runMs: from.u48(),
    score: from.f64(),
    cost: from.f64(),
    progress: from.f64(),
    token: from.text(from.u8()),
    agent: from.text(from.u16()),
    class: from.text(from.u16()),
    member: from.text(from.u8()),
    input: from.text(from.u32()),
    output: from.text(from.u32()),
    reason: from.text(from.u32()),
    message: from.text(from.u32()),
    agents: from.text(from.u32()),
    blocked: from.text(from.u32()),
    history: from.bytes(from.u32()),
  };
}

export function readSoloRecord(bytes: Buffer): SoloRecord {
  const from = new Cursor(bytes, 0);
  return {
    mark: from.u8(),
    state: from.u8(),
    band: from.u8(),
    createdAt: from.u48(),
    claimedAt: from.u48(),
    startedAt: from.u48(),
    completedAt: from.u48(),
    runMs: from.u48(),
    weight: from.u32(),
    place: from.u48(),
    score: from.f64(),
    cost: from.f64(),
    token: from.text(from.u8()),
    created: from.text(from.u8()),
    claimed: from.text(from.u8()),
    ended: from.text(from.u8()),
    agent: from.text(from.u16()),
    watch: from.text(from.u16()),
    tenant: from.text(from.u16()),
    requestId: from.text(from.u16()),
    class: from.text(from.u16()),
    output: from.text(from.u32()),
  };
}

export function readHoldRecord(bytes: Buffer): HoldRecord {
  const from = new Cursor(bytes, 0);
  return {
    claimedAt: from.u48(),
    token: from.text(from.u8()),
    claimed: from.text(from.u8()),
    agent: from.text(from.u16()),
  };
}

export function readRunRecord(bytes: Buffer): RunRecord {
  const from = new Cursor(bytes, 0);
  return {
    from: from.u32(),
    count: from.u8(),
    next: from.u8(),
    open: from.u8(),
    stands: from.u8(),
    band: from.u8(),
    planned: from.u8(),
    slot: from.u32(),
    queuedAt: from.u48(),
    place: from.u48(),
    score: from.f64(),
    spacing: from.f64(),
    cap: from.f64(),
    cost: from.f64(),
    class: from.text(from.u16()),
    gone: from.bytes(from.u8()),
    done: from.bytes(from.u8()),
    chunks: from.bytes(from.u8()),
    holds: readSlices(from, from.u16()),
  };
}

function readSlices(from: Cursor, bytes: number): SliceRecord[] {
  const end = from.at + bytes;
  const slices: SliceRecord[] = [];
  while (from.at < end) {
    slices.push({
      from: from.u8(),
      count: from.u8(),
      left: from.u8(),
      claimedAt: from.u48(),
      fence: from.u48(),
      random: from.text(from.u8()),
      agent: from.text(from.u16()),
    });
  }
  return slices;
}

/** Where the event entries of a stored head begin. */
export function logOffset(bytes: Buffer): number {
  const { head, end } = readHeadRecord(bytes);
  return end + head.stepsBytes;
}

/** Steps a head or a chunk field holds. */
export const STEPS_PER_CHUNK = 32;

/** Bytes of events a head carries before they move to the workflow's LIST. */
export const INLINE_EVENT_BYTES = 1024;

/** Bits of the queue score below the band. */
export const BAND_SHIFT = 2 ** 50;

/** Numbers that scripts name: `H.ver` and the like stand for positions in a record's table, from 1. */
export function luaConstants(): ReadonlyMap<string, number> {
  const constants = new Map<string, number>();
  const positions = (prefix: string, fields: Fields): void =>
    fields.forEach(([name], index) => constants.set(`${prefix}.${name}`, index + 1));
  positions('H', HEAD_FIELDS);
  positions('S', STEP_FIELDS);
  positions('J', JOB_FIELDS);
  positions('Q', SOLO_FIELDS);
  positions('K', HOLD_FIELDS);
  positions('R', RUN_FIELDS);
  positions('L', SLICE_FIELDS);
  constants.set('SOLO_MARK', SOLO_MARK);
  for (const [name, state] of Object.entries(State)) constants.set(`ST.${name}`, state);
  EVENT_TYPES.forEach((name, code) => constants.set(`EV['${name}']`, code));
  constants.set('STEPS_PER_CHUNK', STEPS_PER_CHUNK);
  constants.set('INLINE_EVENT_BYTES', INLINE_EVENT_BYTES);
  constants.set('BAND_SHIFT', BAND_SHIFT);
  constants.set('STEP_FRONT', sizeOfNumbers(STEP_FIELDS));
  constants.set('RUN_JOBS', RUN_JOBS);
  constants.set('H.END', HEAD_FIELDS.length + 1);
  constants.set('L.END', SLICE_FIELDS.length + 1);
  return constants;
}

/** Bytes of a record before its texts. */
export function sizeOfNumbers(fields: Fields): number {
  return fields.reduce((sum, [, form]) => (form.endsWith('s') ? sum : sum + SIZES[form]), 0);
}

/** Lua functions that pack and unpack the records: one struct call each. */
export function recordsPrelude(): string {
  return [
    'local spack, sunpack = struct.pack, struct.unpack',
    ...codec('head', HEAD_FIELDS),
    ...codec('step', STEP_FIELDS),
    ...codec('job', JOB_FIELDS),
    ...codec('solo', SOLO_FIELDS),
    ...codec('hold', HOLD_FIELDS),
    ...codec('run', RUN_FIELDS),
    ...codec('slice', SLICE_FIELDS),
  ].join('\n');
}

function codec(name: string, fields: Fields): string[] {
  const format = `'>${fields.map(([, form]) => (form.endsWith('s') ? `${form.slice(0, -1)}c0` : form)).join('')}'`;
  const values = fields.map(([, form], index) =>
    form.endsWith('s') ? `#r[${index + 1}],r[${index + 1}]` : `r[${index + 1}]`,
  );
  return [
    `local function unpack_${name}(raw, at)`,
    `  return {sunpack(${format}, raw, at)} -- and, last, the offset behind it`,
    'end',
    `local function pack_${name}(r)`,
    `  return spack(${format}, ${values.join(',')})`,
    'end',
  ];
}
