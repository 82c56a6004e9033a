/**
 * Redis and the model brought to one form, and what must hold of it whatever happened.
 */
import { expect } from 'vitest';
import { claimsOf } from '../../../../coordinator/queue/history.ts';
import { keys, refOfMember } from '../../../../coordinator/queue/keys.ts';
import { SOLO_MARK, readSoloRecord } from '../../../../coordinator/queue/records.ts';
import { isSolo, soloJob, withHold } from '../../../../coordinator/queue/solo.ts';
import type { Cell } from '../../../../coordinator/queue/keys.ts';
import { readHead } from '../../../../coordinator/workflow/view.ts';
import { EventCode, isTerminalEvent } from '../../../../sdk/common/events.ts';
import { State, isTerminal } from '../../../../sdk/common/states.ts';
import { logIn, readJobRow } from '../world.ts';
import type { Dump, SaidEvent } from '../world.ts';
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
        if (field.includes('-')) jobs[field] = jobOf(bytes);
      }
    } else if (name.startsWith('q:') || name.startsWith('p:')) {
      queues[name] = ordered([...content].map(([member, score]) => [whole(member), Number(score)] as const));
    }
  }
  const members = (key: string): string[] => [...(dump.get(key)?.keys() ?? [])].sort();
  const meta = dump.get(keys.meta(cell));
  return {
    works,
    jobs,
    queues,
    offers: members(keys.offers(cell)),
    leases: members(keys.leases(cell)),
    timers: members(keys.timers(cell)),
    todo: members(keys.todo(cell)),
    fence: Number(meta?.get('fence') ?? 0),
    wasted: Number(meta?.get('wasted') ?? 0),
  };
}

/** An entry as the model has it: with its job's ref. */
function whole(member: string): string {
  return `${member.slice(0, 11)}${refOfMember(member)}`;
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
  const history = claimsOf({ ...rest, token: '', queue, claimedAt, startedAt, completedAt, queuedAt: 0 });
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
  const { queuedAt: _queued, claimedAt, startedAt, completedAt, ...rest } = soloJob(bytes, wid);
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
  for (const [ref, { ref: _, work: _work, step: _step, ordinal: _ordinal, ...job }] of model.jobs)
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
