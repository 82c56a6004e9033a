/**
 * Shapes of the records in Redis: fixed-offset struct fields, then texts with their length in front.
 *
 * The field lists below are the only place where a layout is written down: the Lua scripts use positions in a table
 * (H.ver, J.token, …: `scripts.ts` puts the numbers in their place) and pack or unpack a record with one struct call
 * made from the same list; TypeScript reads through `RecordReader`. Numbers cost a script 20 ns a field this way, as
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
  ['emitBatch', 'I6'], // last batch of further jobs the live claim asked for
  ['queuedAt', 'I6'],
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
  ['input', 'I4s'], // JSON text; '' = the plan's literal
  ['output', 'I4s'], // JSON text
  ['reason', 'I4s'],
  ['message', 'I4s'],
  ['agents', 'I4s'], // agents that lost it by a stall
] as const satisfies Fields;

type NameOf<F extends Fields> = F[number][0];
type TextNames<F extends Fields> = Extract<F[number], readonly [string, 'Bs' | 'Hs' | 'I4s']>[0];

const SIZES: Readonly<Record<Form, number>> = { B: 1, H: 2, I4: 4, I6: 6, i4: 4, d: 8, Bs: 1, Hs: 2, I4s: 4 };

/** Reads the fields of one record; texts are read by name from the offset the previous one ends at. */
export class RecordReader<F extends Fields> {
  readonly #numbers: readonly (readonly [name: string, form: Form, offset: number])[];
  readonly #texts: readonly (readonly [name: string, form: Form])[];
  readonly #textsAt: number;
  /** Texts kept as bytes. */
  readonly #raw: ReadonlySet<string>;

  constructor(fields: F, raw: readonly TextNames<F>[] = []) {
    const numbers: [string, Form, number][] = [];
    let offset = 0;
    for (const [name, form] of fields) {
      if (form.endsWith('s')) continue;
      numbers.push([name, form, offset]);
      offset += SIZES[form];
    }
    this.#numbers = numbers;
    this.#texts = fields.filter(([, form]) => form.endsWith('s'));
    this.#textsAt = offset;
    this.#raw = new Set(raw);
  }

  /** Fills `into` with the fields of the record at `start`; gives the offset behind it. */
  read(bytes: Buffer, start: number, into: Record<string, unknown>): number {
    for (const [name, form, offset] of this.#numbers) into[name] = readNumber(bytes, form, start + offset);
    let at = start + this.#textsAt;
    for (const [name, form] of this.#texts) {
      const size = SIZES[form];
      const length =
        size === 1 ? (bytes[at] as number) : size === 2 ? bytes.readUInt16BE(at) : bytes.readUInt32BE(at);
      at += size;
      if (length === 0) into[name] = '';
      else
        into[name] = this.#raw.has(name)
          ? bytes.subarray(at, at + length)
          : bytes.toString('utf8', at, at + length);
      at += length;
    }
    return at;
  }
}

function readNumber(bytes: Buffer, form: Form, at: number): number {
  switch (form) {
    case 'B':
      return bytes[at] as number;
    case 'H':
      return bytes.readUInt16BE(at);
    case 'I4':
      return bytes.readUInt32BE(at);
    case 'i4':
      return bytes.readInt32BE(at);
    case 'I6':
      return bytes.readUIntBE(at, 6);
    default:
      return bytes.readDoubleBE(at);
  }
}

type Text<F extends Fields, Raw extends string> = { [K in Exclude<TextNames<F>, Raw>]: string };
type Raws<Raw extends string> = { [K in Raw]: Buffer | '' };
type Numbers<F extends Fields> = { [K in Exclude<NameOf<F>, TextNames<F>>]: number };

export type HeadRecord = Numbers<typeof HEAD_FIELDS> & Text<typeof HEAD_FIELDS, 'dirty'> & Raws<'dirty'>;
export type StepRecord = Numbers<typeof STEP_FIELDS> & Text<typeof STEP_FIELDS, 'notes'> & Raws<'notes'>;
export type JobFields = Numbers<typeof JOB_FIELDS> & Text<typeof JOB_FIELDS, never>;

const headReader = new RecordReader(HEAD_FIELDS, ['dirty']);
const stepReader = new RecordReader(STEP_FIELDS, ['notes']);
const jobReader = new RecordReader(JOB_FIELDS);

/** The record of a stored head, and where it ends: there its step records begin. */
export function readHeadRecord(bytes: Buffer): { head: HeadRecord; end: number } {
  const head = {} as HeadRecord;
  return { head, end: headReader.read(bytes, 0, head) };
}

/** Step records from `start` to `end`. */
export function readStepRecords(bytes: Buffer, start: number, end: number): StepRecord[] {
  const steps: StepRecord[] = [];
  for (let at = start; at < end;) {
    const step = {} as StepRecord;
    at = stepReader.read(bytes, at, step);
    steps.push(step);
  }
  return steps;
}

export function readJobRecord(bytes: Buffer): JobFields {
  const job = {} as JobFields;
  jobReader.read(bytes, 0, job);
  return job;
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
  for (const [name, state] of Object.entries(State)) constants.set(`ST.${name}`, state);
  EVENT_TYPES.forEach((name, code) => constants.set(`EV['${name}']`, code));
  constants.set('STEPS_PER_CHUNK', STEPS_PER_CHUNK);
  constants.set('INLINE_EVENT_BYTES', INLINE_EVENT_BYTES);
  constants.set('BAND_SHIFT', BAND_SHIFT);
  constants.set('STEP_FRONT', sizeOfNumbers(STEP_FIELDS));
  constants.set('H.END', HEAD_FIELDS.length + 1);
  return constants;
}

function sizeOfNumbers(fields: Fields): number {
  return fields.reduce((sum, [, form]) => (form.endsWith('s') ? sum : sum + SIZES[form]), 0);
}

/** Lua functions that pack and unpack the records: one struct call each. */
export function recordsPrelude(): string {
  return [
    'local spack, sunpack = struct.pack, struct.unpack',
    ...codec('head', HEAD_FIELDS),
    ...codec('step', STEP_FIELDS),
    ...codec('job', JOB_FIELDS),
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
