/**
 * Redis and the model brought to one form, and what must hold of it whatever happened.
 */
import { expect } from 'vitest';
import { claimsOf } from '../../../../coordinator/queue/history.ts';
import { jobRef, keys, parseSlice, sliceOfMember } from '../../../../coordinator/queue/keys.ts';
import {
  BAND_SHIFT,
  SOLO_MARK,
  readRunRecord,
  readSoloRecord,
} from '../../../../coordinator/queue/records.ts';
import { unpack } from '../../../../coordinator/queue/codec.ts';
import type { JobRecord } from '../../../../coordinator/queue/reads.ts';
import type { ChunkRecord } from '../../../../coordinator/queue/records.ts';
import { chunkField, jobInRun, jobsInChunk, runField } from '../../../../coordinator/queue/runs.ts';
import { isSolo, soloJob, withHold } from '../../../../coordinator/queue/solo.ts';
import type { Cell } from '../../../../coordinator/queue/keys.ts';
import { readHead } from '../../../../coordinator/workflow/view.ts';
import { EventCode, isTerminalEvent } from '../../../../sdk/common/events.ts';
import { State, isTerminal } from '../../../../sdk/common/states.ts';
import { logIn, readJobRow } from '../world.ts';
import type { Dump, SaidEvent } from '../world.ts';
import { refsIn } from '../world.ts';
import type { Model } from './model.ts';

type Fields = Record<string, unknown>;

export interface Snapshot {
  readonly works: Record<string, Fields>;
  readonly jobs: Record<string, Fields>;
  /** Key without the cell's prefix → members with scores. */
  readonly queues: Record<string, [member: string, score: number][]>;
  readonly offers: string[];
  readonly leases: string[];
  readonly timers: string[];
  readonly todo: string[];
  readonly fence: number;
  readonly wasted: number;
}

/** Orders the members of a zset as Redis does. */
function ordered(entries: Iterable<readonly [string, number]>): [string, number][] {
  return [...entries]
    .map(([member, score]): [string, number] => [member, score])
    .sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

export function snapshotOf(dump: Dump, cell: Cell): Snapshot {
  const works: Record<string, Fields> = {};
  const jobs: Record<string, Fields> = {};
  const queues: Record<string, [string, number][]> = {};
  for (const [key, content] of dump) {
    const name = key.slice(cell.prefix.length);
    if (name.startsWith('w:')) {
      for (const [field, value] of content) {
        let bytes: Buffer = Buffer.from(value, 'latin1');
        const hold = content.get(`${field}h`);
        if (hold !== undefined)
          expect(readSoloRecord(bytes), 'a claim beside it').toMatchObject({
            mark: SOLO_MARK,
            state: State.unassigned,
          });
        if (hold !== undefined) bytes = withHold(bytes, Buffer.from(hold, 'latin1'));
        if (/^[0-9a-z]{26}$/.test(field)) {
          works[field] = workOf(bytes, isSolo(bytes) ? soloLog(bytes) : logIn(dump, cell, field));
          if (isSolo(bytes)) jobs[`${field}-0-0`] = soloJobOf(bytes, field);
        }
        if (/-\d+-\d+$/.test(field)) jobs[field] = jobOf(bytes);
        if (/-\d+r\d+$/.test(field)) Object.assign(jobs, runOf(content, field, bytes));
        if (/-\d+i\d+$/.test(field))
          expect(content.has(field.replace(/i(\d+)$/, 'r$1')), 'inputs of no run').toBe(true);
      }
    } else if (name.startsWith('q:') || name.startsWith('p:')) {
      const entries = [...content].flatMap(([member, score]) =>
        jobsBehind(dump, cell, member, Number(score)),
      );
      if (entries.length > 0) queues[name] = ordered(entries);
      const beyond = dump.get(`${cell.prefix}v:${name.slice(2)}`)?.get('R') ?? '0';
      if (name.startsWith('q:'))
        expect(Number(beyond), 'jobs beyond entries').toBe(entries.length - content.size);
    }
  }
  const members = (key: string): string[] => [...(dump.get(key)?.keys() ?? [])].sort();
  const meta = dump.get(keys.meta(cell));
  return {
    works,
    jobs,
    queues,
    offers: members(keys.offers(cell))
      .flatMap((slice) => (slice.includes('+') ? heldIn(dump, cell, slice) : [slice]))
      .sort(),
    leases: members(keys.leases(cell)),
    timers: members(keys.timers(cell)),
    todo: members(keys.todo(cell)),
    fence: Number(meta?.get('fence') ?? 0),
    wasted: Number(meta?.get('wasted') ?? 0),
  };
}

/** An entry as the model has it: with its job's ref. */
function whole(member: string): string {
  const [ref] = refsIn(sliceOfMember(member));
  return `${member.slice(0, 11)}${ref}`;
}

/** The entries the model has for one of a queue, or of what is parked: one a job. */
function jobsBehind(dump: Dump, cell: Cell, entry: string, score: number): [string, number][] {
  const [member = '', queue] = entry.split('|');
  const bar = queue === undefined ? '' : `|${queue}`;
  if (!member.includes('+')) return [[`${whole(member)}${bar}`, score]];
  const { wid, step, ordinal, count } = sliceOfMember(member);
  const bytes = dump.get(keys.bucket(cell, wid))?.get(runField(wid, step, ordinal, 'r'));
  expect(bytes, `the run of ${entry}`).toBeDefined();
  const run = readRunRecord(Buffer.from(bytes ?? '', 'latin1'));
  expect(run.stands).toBe(queue === undefined ? 1 : 2);
  expect(run.from + run.next).toBe(ordinal);
  const gone = [...run.gone].map(Number);
  const waiting = Array.from({ length: run.count - run.next }, (_, i) => run.next + i).filter(
    (at) => !gone.includes(at),
  );
  expect(waiting).toHaveLength(count);
  const scoreAt = (at: number): number => Math.min(run.score + at * run.spacing, run.cap);
  expect(scoreAt(run.next)).toBe(score);
  return waiting.map((at) => {
    const place = (run.place + at).toString(16).padStart(10, '0');
    return [`${place}:${jobRef(wid, step, run.from + at)}${bar}`, scoreAt(at)];
  });
}

/** Of a slice among the offers those jobs that are held as a part of it. */
function heldIn(dump: Dump, cell: Cell, slice: string): string[] {
  const { wid, step, ordinal, count } = parseSlice(slice);
  const records = dump.get(keys.bucket(cell, wid));
  const run = readRunRecord(Buffer.from(records?.get(runField(wid, step, ordinal, 'r')) ?? '', 'latin1'));
  const refs = refsIn({ wid, step, ordinal, count }).filter(
    (_, i) => typeof jobInRun(run, wid, step, ordinal + i) === 'object',
  );
  const hold = run.holds.find(({ from }) => run.from + from === ordinal);
  expect(hold, `the claim of ${slice}`).toMatchObject({ count, left: refs.length });
  return refs;
}

/** The jobs that are in a run. */
function runOf(records: ReadonlyMap<string, string>, field: string, bytes: Buffer): Record<string, Fields> {
  const [, wid = '', step = ''] = /^(.*)-(\d+)r\d+$/.exec(field) ?? [];
  const run = readRunRecord(bytes);
  const inputs = records.get(field.replace(/r(\d+)$/, 'i$1'));
  const texts = inputs === undefined ? [] : unpack<string[]>(Buffer.from(inputs, 'latin1'));
  const jobs: Record<string, Fields> = {};
  let open = 0;
  for (let at = 0; at < run.count; at++) {
    const ordinal = run.from + at;
    const ref = jobRef(wid, Number(step), ordinal);
    const known = jobInRun(run, wid, Number(step), ordinal);
    expect(known === undefined, `${ref} has a record of its own`).toBe(records.has(ref));
    if (known === undefined) continue;
    let job = known as JobRecord;
    let runMs = 0;
    if (typeof known === 'number') {
      const bytes = Buffer.from(records.get(chunkField(wid, Number(step), known)) ?? '', 'latin1');
      job = jobsInChunk(bytes)(run, wid, Number(step), ordinal, known);
      runMs = unpack<ChunkRecord>(bytes)[6][ordinal - known] as number;
    } else open++;
    const { own: _own, queuedAt: _queued, claimedAt, startedAt, completedAt, ...rest } = job;
    expect(completedAt > 0).toBe(isTerminal(rest.state));
    jobs[ref] = {
      ...rest,
      score: Math.min(run.score + at * run.spacing, (3 - run.band) * BAND_SHIFT - 1),
      runMs,
      emitBatch: 0,
      input: run.planned === 1 || typeof known === 'number' ? '' : texts[at],
      agents: '',
      history: [],
      claimed: claimedAt > 0,
      started: startedAt > 0,
    };
  }
  expect(open, 'jobs that are in the run').toBe(run.open);
  expect(inputs === undefined, 'inputs for those that need them').toBe(run.planned === 1 || open === 0);
  return jobs;
}

function workOf(bytes: Buffer, log: readonly SaidEvent[]): Fields {
  const head = readHead(bytes);
  const {
    createdAt: _created,
    startedAt: _started,
    completedAt,
    sequence,
    listed: _listed,
    steps,
    version,
    ...rest
  } = head;
  // Invariant: one sequence without a gap, that ends where the head says, and with the terminal event where there is one.
  expect(log.map((event) => event.sequence)).toEqual(Array.from({ length: sequence }, (_, i) => i + 1));
  const end = log.findIndex(({ type }) => isTerminalEvent(type));
  if (end >= 0) expect(end, 'an event after the terminal one').toBe(log.length - 1);
  expect(completedAt > 0).toBe(isTerminal(head.state));
  return {
    ...rest,
    ver: version,
    events: log.map(({ type, step, ordinal, state, rest: more }) => [
      EventCode[type as keyof typeof EventCode],
      step,
      ordinal,
      state,
      ...withoutEmptyEnd(more),
    ]),
    steps: steps.map((step) => {
      const { startedAt: _start, completedAt: _end, ...facts } = step as NonNullable<typeof step>;
      return facts;
    }),
  };
}

/** Readers take what is left out for ''. */
function withoutEmptyEnd(list: readonly unknown[]): unknown[] {
  return list.slice(0, list.findLastIndex((value) => value !== '') + 1);
}

function jobOf(bytes: Buffer): Fields {
  const { class: queue, queuedAt: _queued, claimedAt, startedAt, completedAt, ...rest } = readJobRow(bytes);
  expect(completedAt > 0).toBe(isTerminal(rest.state));
  const history = claimsOf({
    ...rest,
    token: '',
    queue,
    claimedAt,
    startedAt,
    completedAt,
    queuedAt: 0,
  });
  for (const claim of history) expect(claim.endedAt).toBeGreaterThanOrEqual(claim.claimedAt);
  return {
    ...rest,
    queue,
    claimed: claimedAt > 0,
    started: startedAt > 0,
    history: history.map((claim) => [
      claim.attempt,
      claim.agent,
      claim.end,
      claim.reason,
      claim.startedAt > 0,
    ]),
  };
}

/** What a solo record stands for: the events its way implies, … */
function soloLog(bytes: Buffer): SaidEvent[] {
  const { state, agent, created, claimed, ended } = readSoloRecord(bytes);
  const { unassigned, scheduled, processing, succeeded } = State;
  const said: [string, string, number, number, number, ...string[]][] = [
    [created, 'workflow.created', -1, -1, unassigned],
    [created, 'step.ready', 0, -1, unassigned],
    [created, 'job.queued', 0, 0, unassigned],
  ];
  if (state !== unassigned) said.push([claimed, 'job.claimed', 0, 0, scheduled, agent]);
  if (state === succeeded) {
    said.push(
      [ended, 'workflow.started', -1, -1, processing],
      [ended, 'step.started', 0, -1, processing],
      [ended, 'job.started', 0, 0, processing],
      [ended, 'job.succeeded', 0, 0, succeeded, agent],
      [ended, 'step.succeeded', 0, -1, succeeded],
      [ended, 'workflow.succeeded', -1, -1, succeeded],
    );
  }
  return said.map(([tag, type, step, ordinal, at, ...rest], index) => ({
    sequence: index + 1,
    tag,
    type,
    step,
    ordinal,
    state: at,
    rest,
  }));
}

/** … and a job. */
function soloJobOf(bytes: Buffer, wid: string): Fields {
  const { own: _own, queuedAt: _queued, claimedAt, startedAt, completedAt, ...rest } = soloJob(bytes, wid);
  const { score, token, runMs } = readSoloRecord(bytes);
  expect(completedAt > 0).toBe(isTerminal(rest.state));
  return {
    ...rest,
    member: whole(rest.member),
    score,
    token,
    runMs,
    emitBatch: 0,
    input: '',
    agents: '',
    history: [],
    claimed: claimedAt > 0,
    started: startedAt > 0,
  };
}

export function snapshotOfModel(model: Model): Snapshot {
  const works: Record<string, Fields> = {};
  for (const [wid, { wid: _, weight: _weight, solo: _solo, ...work }] of model.works)
    works[wid] = {
      ...work,
      stepCount: work.steps.length,
      events: work.events.map(([code, step, ordinal, state, ...more]) => [
        code,
        step,
        ordinal,
        state,
        ...withoutEmptyEnd(more),
      ]),
    };
  const jobs: Record<string, Fields> = {};
  for (const [
    ref,
    { ref: _, work: _work, step: _step, ordinal: _ordinal, run: _run, slice: _slice, ...job },
  ] of model.jobs)
    jobs[ref] = job;
  const queues: Record<string, [string, number][]> = {};
  for (const [name, entries] of model.queues) if (entries.size > 0) queues[`q:${name}`] = ordered(entries);
  for (const [cause, entries] of model.parked) if (entries.size > 0) queues[`p:${cause}`] = ordered(entries);
  return {
    works,
    jobs,
    queues,
    offers: [...model.offers.keys()].sort(),
    leases: [...model.leases.keys()].sort(),
    timers: [...model.timers.keys()].sort(),
    todo: [...model.todo].sort(),
    fence: model.fence,
    wasted: model.wasted,
  };
}

/** What must hold whatever the model says. `before` is the snapshot one call earlier. */
export function checkInvariants(
  { works, jobs, queues, offers, leases, timers, todo, fence }: Snapshot,
  before: Snapshot | undefined,
): void {
  const places = new Map<string, string[]>();
  const put = (ref: string, place: string): void => void places.set(ref, [...(places.get(ref) ?? []), place]);
  for (const [name, entries] of Object.entries(queues)) {
    for (const [member] of entries)
      put(member.slice(11).split('|')[0] as string, name.startsWith('q:') ? 'queued' : 'parked');
  }
  for (const ref of offers) put(ref, 'offered');
  for (const ref of leases) put(ref, 'leased');
  for (const timer of timers) if (timer.startsWith('backoff|')) put(timer.slice(8), 'backoff');

  const tokens = new Set<string>();
  const open: Record<string, number[]> = {};
  for (const [ref, job] of Object.entries(jobs)) {
    const [wid, step] = ref.split('-') as [string, string];
    const work = works[wid] as Fields;
    const at = (places.get(ref) ?? []).join('+');
    if (isTerminal(job['state'] as number)) {
      expect(at, `${ref} has ended`).not.toMatch(/offered|leased/);
      expect(job['hold']).toBe(0);
    } else {
      const counts = (open[wid] ??= []);
      counts[Number(step)] = (counts[Number(step)] ?? 0) + 1;
      const place = ['', 'offered', 'leased'][job['hold'] as number] || /^(queued|parked|backoff)$/;
      // Jobs of a workflow about to end are dropped when met; the decision that follows ends them.
      if (work['closing'] === 0 || at !== '') expect(at, `place of ${ref}`).toMatch(place);
      expect(isTerminal(work['state'] as number), `${ref} outlives its workflow`).toBe(false);
    }
    if ((job['hold'] as number) > 0) {
      expect(tokens.has(job['token'] as string), 'a token is live twice').toBe(false);
      tokens.add(job['token'] as string);
      expect(Number.parseInt(job['token'] as string, 16)).toBeLessThanOrEqual(fence);
    }
    if (job['state'] === State.unassigned) expect(job['token']).toBe('');
  }
  for (const [ref, at] of places) expect(ref in jobs, `${ref} is ${at.join('+')}`).toBe(true);
  for (const [wid, work] of Object.entries(works)) {
    (work['steps'] as { open: number }[]).forEach((step, index) => {
      expect(step.open, `open jobs of ${wid} ${index}`).toBe(open[wid]?.[index] ?? 0);
    });
    expect(todo.includes(wid), `${wid} waits for a decision`).toBe((work['dirty'] as unknown[]).length > 0);
  }
  if (before === undefined) return;
  expect(fence).toBeGreaterThanOrEqual(before.fence);
  for (const [ref, job] of Object.entries(before.jobs))
    if (isTerminal(job['state'] as number)) expect(jobs[ref]).toEqual(job);
  for (const [wid, work] of Object.entries(before.works)) {
    const now = works[wid] as Fields;
    const said = work['events'] as unknown[];
    expect((now['events'] as unknown[]).slice(0, said.length), 'what was said').toEqual(said);
    if (isTerminal(work['state'] as number)) expect(now).toEqual(work);
  }
}
