/**
 * Runs (lua/lib/run.lua, docs/adr/0007) on this side: which new jobs become one, and what their records stand for.
 */
import { State } from '../../sdk/common/states.ts';
import type { Change, CompleteItem, CompletedSlice, JobSpec, RunSpec } from './items.ts';
import { unpack } from './codec.ts';
import { jobRef, parseJobRef } from './keys.ts';
import type { JobRecord } from './reads.ts';
import { RUN_JOBS, readRunRecord } from './records.ts';
import type { ChunkRecord, RunRecord } from './records.ts';

/** Fewer jobs have records of their own: a run and its inputs are two. */
const MIN_JOBS = 3;
/** Characters of an input with which a single job is a run: scripts then need not read and write it with each word on the job. */
const LARGE_INPUT = 512;

/** The change with those of its jobs in runs that may be: first attempts of one step, alike, with slots in a row. */
export function withRuns(change: Change): Change {
  const [workflow, steps, jobs, cancels, events, again] = change;
  const single: JobSpec[] = [];
  /** From the first run on: jobs are made in this order, which is that of their places. */
  const runs: (RunSpec | JobSpec)[] = [];
  for (let at = 0; at < jobs.length;) {
    const first = jobs[at] as JobSpec;
    let end = at + 1;
    while (end < jobs.length && follows(first, jobs[end] as JobSpec, end - at)) end++;
    const alike = jobs.slice(at, end);
    if (!isWorthIt(alike) || !isPlain(first)) (runs.length === 0 ? single : runs).push(...alike);
    else {
      const [step, slot, queue, band, cost, input] = first;
      const inputs = input === '' ? alike.length : alike.map((job) => job[5]);
      runs.push([step, slot, queue, band, cost, inputs]);
    }
    at = end;
  }
  return runs.length === 0 ? change : [workflow, steps, single, cancels, events, again, runs];
}

/**
 * Whoever claims one job of a run reads the inputs of all, and a script that takes one out does: so no run of many has large ones. A
 * single large one is worth a run of its own.
 */
function isWorthIt(alike: readonly JobSpec[]): boolean {
  const chars = alike.reduce((sum, job) => sum + job[5].length, 0);
  const isLarge = chars >= LARGE_INPUT * alike.length;
  return alike.length === 1 ? isLarge : alike.length >= MIN_JOBS && !isLarge;
}

function isPlain([, , , , , , attempt, replaces, delayMs, queueTimeoutMs]: JobSpec): boolean {
  return attempt === 1 && replaces < 0 && delayMs === 0 && queueTimeoutMs === 0;
}

function follows(first: JobSpec, job: JobSpec, distance: number): boolean {
  const [step, slot, queue, band, cost, input] = first;
  return (
    job[0] === step &&
    job[1] === slot + distance &&
    job[2] === queue &&
    job[3] === band &&
    job[4] === cost &&
    (job[5] === '') === (input === '') &&
    isPlain(job)
  );
}

/** Successes of a call that may still be in their runs, by run and claim, and what is left; `order` has the place of each reply. */
export function bySlice(items: readonly CompleteItem[]): {
  readonly single: CompleteItem[];
  readonly slices: CompletedSlice[];
  readonly order: number[];
} {
  const single: CompleteItem[] = [];
  const groups = new Map<string, { readonly slice: CompletedSlice; readonly indexes: number[] }>();
  const singles: number[] = [];
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const [ref, token, state, output, , , , startAge, runMs, , , change] = item;
    // The second of two about one job goes the other way: the first of a row must be all that is said of it.
    if (item[14] !== true || state !== State.succeeded || change !== false || seen.has(ref)) {
      single.push(item);
      singles.push(index);
      return;
    }
    seen.add(ref);
    const { wid, step, ordinal } = parseJobRef(ref);
    const random = token.slice(token.indexOf('.') + 1);
    const name = `${wid}-${step}r${Math.floor(ordinal / RUN_JOBS)} ${random}`;
    let group = groups.get(name);
    if (group === undefined) {
      group = { slice: [wid, step, [], [], random, [], [], []], indexes: [] };
      groups.set(name, group);
    }
    const { slice } = group;
    slice[2].push(ordinal);
    slice[3].push(Number.parseInt(token, 16));
    slice[5].push(output);
    slice[6].push(startAge);
    slice[7].push(runMs);
    group.indexes.push(index);
  });
  const found = [...groups.values()];
  return {
    single,
    slices: found.map(({ slice }) => slice),
    order: [...singles, ...found.flatMap(({ indexes }) => indexes)],
  };
}

/** Field of the outputs of a chunk. */
export function chunkField(wid: string, step: number, first: number): string {
  return `${wid}-${step}d${first}`;
}

/** Field of the run (kind r), or of its inputs (i), that a job may stand in. */
export function runField(wid: string, step: number, ordinal: number, kind: 'r' | 'i'): string {
  return `${wid}-${step}${kind}${Math.floor(ordinal / RUN_JOBS)}`;
}

/** The token of the job `at` places behind the one with this token. */
export function tokenAfter(token: string, at: number): string {
  const dot = token.indexOf('.');
  return tokenText(Number.parseInt(token, 16) + at, token.slice(dot + 1));
}

/** What became of a job: a record, or the first ordinal of the chunk it ended in; undefined when its run knows nothing of it. */
export function jobInRun(
  run: RunRecord,
  wid: string,
  step: number,
  ordinal: number,
): JobRecord | number | undefined {
  const at = ordinal - run.from;
  if (at < 0 || at >= run.count) return undefined;
  const left = at < run.next ? run.done : run.gone;
  if (left !== '' && left.includes(at)) return undefined;
  for (let i = 0; i < run.chunks.length; i += 2) {
    const from = run.chunks[i] as number;
    if (at >= from && at < from + (run.chunks[i + 1] as number)) return run.from + from;
  }
  const hold = run.holds.find(({ from, count }) => at >= from && at < from + count);
  if (at < run.next && hold === undefined) return undefined;
  const job = freshJob(run, wid, step, ordinal);
  if (hold === undefined) return job;
  return {
    ...job,
    state: State.scheduled,
    agent: hold.agent,
    hold: 1,
    claims: 1,
    token: tokenText(hold.fence + at - hold.from, hold.random),
    claimedAt: hold.claimedAt,
  };
}

/** The jobs that ended in a chunk, which begins with ordinal `first`. */
export function jobsInChunk(
  bytes: Buffer,
): (run: RunRecord, wid: string, step: number, ordinal: number, first: number) => JobRecord {
  const [completedAt, claimedAt, fence, random, agent, ages, , outputs] = unpack<ChunkRecord>(bytes);
  return (run, wid, step, ordinal, first) => {
    const i = ordinal - first;
    return {
      ...freshJob(run, wid, step, ordinal),
      state: State.succeeded,
      agent,
      claims: 1,
      progress: 1,
      token: tokenText(fence + i, random),
      claimedAt,
      completedAt,
      startedAt: completedAt - (ages[i] as number),
      output: outputs[i] as string,
    };
  };
}

function freshJob(run: RunRecord, wid: string, step: number, ordinal: number): JobRecord {
  const at = ordinal - run.from;
  return {
    own: false,
    state: State.unassigned,
    slot: run.slot + at,
    queue: run.class,
    band: run.band,
    member: `${(run.place + at).toString(16).padStart(10, '0')}:${jobRef(wid, step, ordinal)}`,
    cost: run.cost,
    agent: '',
    hold: 0,
    claims: 0,
    recoveries: 0,
    attempt: 1,
    queuedAt: run.queuedAt,
    startedAt: 0,
    completedAt: 0,
    output: '',
    reason: '',
    message: '',
    progress: -1,
    progressSource: 0,
    replaces: -1,
    blocked: '',
    token: '',
    claimedAt: 0,
    history: '',
  };
}

function tokenText(fence: number, random: string): string {
  return `${fence.toString(16)}.${random}`;
}

/** How a waiting job stands in its run's entry. */
export interface InEntry {
  readonly member: string;
  /** Jobs of the entry before it. */
  readonly ahead: number;
  /** Jobs between its first one and this that have left. */
  readonly holes: number;
}

/** By ordinal of a job of this run; undefined when it stands in no queue. */
export function standsIn(
  bytes: Buffer | undefined,
  wid: string,
  step: number,
): (ordinal: number) => InEntry | undefined {
  if (bytes === undefined) return () => undefined;
  const run = readRunRecord(bytes);
  const gone = [...run.gone].map(Number);
  const waiting = run.count - run.next - gone.length;
  const place = (run.place + run.next).toString(16).padStart(10, '0');
  const member = `${place}:${jobRef(wid, step, run.from + run.next)}+${waiting}`;
  return (ordinal) => {
    const at = ordinal - run.from;
    if (run.stands !== 1 || at < run.next || at >= run.count || gone.includes(at)) return undefined;
    const holes = gone.filter((position) => position < at).length;
    return { member, ahead: at - run.next - holes, holes };
  };
}
