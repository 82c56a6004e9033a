/**
 * One cell on a real Redis: the scripts' calls in bites of test size, and everything they wrote as plain data.
 *
 * Siblings: `changes.ts` builds what goes in; `cases/` are the tests, run on one Redis and on a Cluster alike.
 */
import type { Cluster, Redis } from 'ioredis';
import { expect } from 'vitest';
import { connectSubscriber } from '../../../runtime/redis/subscriber.ts';
import { unpackSequence } from '../../../coordinator/queue/codec.ts';
import type { ScriptName, Scripts } from '../../../coordinator/queue/gen/scripts.ts';
import type {
  AcceptItem,
  ClaimAsk,
  ClaimShort,
  CompleteItem,
  DecideItem,
  EmitItem,
  Grant,
  LogEvent,
  ProgressItem,
  ReleaseItem,
  StallNotes,
  SubmitReply,
} from '../../../coordinator/queue/items.ts';
import {
  jobRef,
  keys,
  makeCell,
  parseSlice,
  sliceOfMember,
  workflowKey,
} from '../../../coordinator/queue/keys.ts';
import type { Cell, Slice } from '../../../coordinator/queue/keys.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import { STEPS_PER_CHUNK, logOffset, readJobRecord } from '../../../coordinator/queue/records.ts';
import type { JobFields } from '../../../coordinator/queue/records.ts';
import { tokenAfter } from '../../../coordinator/queue/runs.ts';
import { cellTag } from '../../../coordinator/queue/slots.ts';
import { readChunk, readHead } from '../../../coordinator/workflow/view.ts';
import type { StepView, WorkflowView } from '../../../coordinator/workflow/view.ts';
import { EVENT_TYPES } from '../../../sdk/common/events.ts';
import { until } from '../../support/until.ts';
import type { Flow, Solo } from './changes.ts';

/** ScriptRunner, or one with patched sources. */
export interface Caller {
  call<N extends ScriptName>(
    name: N,
    cell: Cell,
    args: Scripts[N]['args'],
    blobs?: readonly Buffer[],
  ): Promise<Scripts[N]['returns']>;
}

export type Job = JobFields;

export interface Granted {
  readonly ask: number;
  readonly ref: string;
  readonly token: string;
  readonly attempt: number;
  readonly cost: number;
  /** Undefined: it stands beside its run. */
  readonly input: string | undefined;
  readonly slot: number;
  readonly head: WorkflowView | undefined;
}

export interface Claimed {
  readonly short: number[];
  /** [ask, position of the class] of what was left to others. */
  readonly left: [number, number][];
  readonly grants: Granted[];
}

export interface SaidEvent {
  readonly sequence: number;
  readonly tag: string;
  readonly type: string;
  readonly step: number;
  readonly ordinal: number;
  readonly state: number;
  readonly rest: readonly unknown[];
}

export type BusMessage = [origin: string, works: unknown, wakes: unknown, told: unknown, classes: unknown];

/** key → content: members with scores, fields with bytes, or list elements. */
export type Dump = Map<string, ReadonlyMap<string, string>>;

export const LEASE_MS = 120_000;
export const OFFER_MS = 15_000;

const DUMP = `
local out = {}
local names = redis.call('KEYS', ARGV[1])
table.sort(names)
for _, name in ipairs(names) do
  local kind = redis.call('TYPE', name).ok
  local content
  if kind == 'zset' then content = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  elseif kind == 'hash' then content = redis.call('HGETALL', name)
  else content = redis.call('LRANGE', name, 0, -1) end
  out[#out + 1] = {name, kind, content}
end
return out`;

let worlds = 0;

export class World {
  readonly redis: Redis | Cluster;
  readonly scripts: Caller;
  readonly url: string;
  readonly cell: Cell;
  /** Coordinator that calls; change it to speak as another one. */
  origin = 'c1';
  #calls = 0;
  #claims = 0;

  constructor(redis: Redis | Cluster, scripts: Caller, url: string) {
    this.redis = redis;
    this.scripts = scripts;
    this.url = url;
    worlds++;
    this.cell = makeCell(`t${worlds}`, 0, cellTag(0, 1));
  }

  wid(name: string): string {
    return workflowKey('acme', name, 1);
  }

  nextTag(): string {
    this.#calls++;
    return `g${this.#calls}`;
  }

  async submit(...flows: readonly Flow[]): Promise<SubmitReply[]> {
    const blobs: Buffer[] = [];
    const items = flows.map((flow) => {
      blobs.push(flow.plan);
      flow.item[4] = blobs.length + 1;
      return flow.item;
    });
    const classes = flows.flatMap((flow) => flow.classes);
    return this.scripts.call('submit', this.cell, [this.nextTag(), this.origin, items, classes], blobs);
  }

  submitSolos(...solos: Solo[]): Promise<SubmitReply[]> {
    const blobs = solos.map(({ plan }) => plan);
    const items = solos.map(({ item }, index) => item.with(4, index + 2) as typeof item);
    return this.scripts.call('submit', this.cell, [this.nextTag(), this.origin, [], [], [], items], blobs);
  }

  async claim(
    asks: ClaimAsk[],
    options: { number?: number; register?: boolean; random?: string; avoidMs?: number } = {},
  ): Promise<Claimed> {
    this.#claims++;
    const { number = this.#claims, register = true, random = `x${this.#claims}`, avoidMs = 0 } = options;
    const reply = await this.scripts.call('claim', this.cell, [
      this.nextTag(),
      this.origin,
      number,
      random,
      OFFER_MS,
      register ? 1 : 0,
      asks,
      avoidMs,
    ]);
    return readClaim(reply);
  }

  /** Claims for one agent from some classes. */
  async take(agent: string, jobs: number, ...classes: string[]): Promise<Granted[]> {
    return (await this.claim([ask(agent, jobs, ...classes)])).grants;
  }

  /** Claims, and has the agent accept. */
  async hold(agent: string, jobs: number, ...classes: string[]): Promise<Granted[]> {
    const grants = await this.take(agent, jobs, ...classes);
    await this.accept(...grants.map(({ ref, token }): AcceptItem => [ref, token, -1, 0]));
    return grants;
  }

  accept(...items: AcceptItem[]) {
    return this.scripts.call('accept', this.cell, [this.nextTag(), this.origin, LEASE_MS, items]);
  }

  progress(...items: ProgressItem[]) {
    return this.scripts.call('progress', this.cell, [this.nextTag(), this.origin, LEASE_MS, items]);
  }

  complete(...items: CompleteItem[]) {
    return this.scripts.call('complete', this.cell, [this.nextTag(), this.origin, items]);
  }

  release(...items: ReleaseItem[]) {
    return this.scripts.call('release', this.cell, [this.nextTag(), this.origin, items]);
  }

  requeue(ref: string, seen: string, toBack = false, note = '') {
    return this.scripts.call('requeue', this.cell, [
      this.nextTag(),
      this.origin,
      ref,
      seen,
      toBack ? 1 : 0,
      note,
    ]);
  }

  emit(...items: EmitItem[]) {
    return this.scripts.call('emit', this.cell, [this.nextTag(), this.origin, items]);
  }

  decide(...items: DecideItem[]) {
    return this.scripts.call('decide', this.cell, [this.nextTag(), this.origin, items]);
  }

  control(wid: string, tenant = 'acme', message = '') {
    return this.scripts.call('control', this.cell, [this.nextTag(), this.origin, wid, tenant, message]);
  }

  due(limit = 64, undecidedMs = 0) {
    return this.scripts.call('due', this.cell, [this.nextTag(), this.origin, limit, undecidedMs, OFFER_MS]);
  }

  sweep(
    times: {
      intervalMs?: number;
      slackMs?: number;
      recoveries?: number;
      limit?: number;
      notes?: StallNotes;
    } = {},
  ) {
    const { intervalMs = 60_000, slackMs = 15_000, recoveries = 3, limit = 64, notes = {} } = times;
    return this.scripts.call('sweep', this.cell, [
      this.nextTag(),
      this.origin,
      LEASE_MS,
      intervalMs,
      slackMs,
      recoveries,
      limit,
      notes,
    ]);
  }

  unpark(cause: string, limit = 1000) {
    return this.scripts.call('unpark', this.cell, [this.nextTag(), this.origin, cause, limit]);
  }

  async log(wid: string, from = 0, limit = 1000, watcher = '') {
    const [first, head, ...entries] = await this.scripts.call('log', this.cell, [wid, from, limit, watcher]);
    const [read, more] = first as [number, number];
    return { read, more, head: head as Buffer | undefined, events: expand(entries as PackedEntry[]) };
  }

  async events(wid: string): Promise<SaidEvent[]> {
    return (await this.log(wid)).events;
  }

  /** Types of the events, jobs by ordinal: `job.queued 0`. */
  async story(wid: string): Promise<string[]> {
    return (await this.events(wid)).map(({ type, ordinal }) => (ordinal >= 0 ? `${type} ${ordinal}` : type));
  }

  async head(wid: string): Promise<WorkflowView> {
    const bytes = await new Reads(this.redis).head(this.cell, wid);
    if (bytes === undefined) throw new Error(`no workflow ${wid}`);
    return readHead(bytes);
  }

  async step(wid: string, index: number): Promise<StepView> {
    if (index < STEPS_PER_CHUNK) return (await this.head(wid)).steps[index] as StepView;
    const chunk = Math.floor(index / STEPS_PER_CHUNK);
    const bytes = (await this.redis.hgetBuffer(keys.bucket(this.cell, wid), `${wid}s${chunk}`)) as Buffer;
    return readChunk(bytes)[index % STEPS_PER_CHUNK] as StepView;
  }

  async job(ref: string): Promise<Job> {
    const bytes = await this.redis.hgetBuffer(keys.bucket(this.cell, ref), ref);
    if (bytes === null) throw new Error(`no job ${ref}`);
    return readJobRow(bytes);
  }

  /** Members in order. */
  zset(key: string): Promise<string[]> {
    return this.redis.zrange(key, '0', '-1');
  }

  /** Refs in the order of the queue. */
  async queue(name: string): Promise<string[]> {
    return (await this.zset(keys.queue(this.cell, name))).flatMap((member) => refsIn(sliceOfMember(member)));
  }

  /** Puts an entry of a zset into the past. */
  async makeDue(key: string, member: string): Promise<void> {
    const script = `#!lua flags=allow-oom\nredis.call('ZADD', KEYS[1], 'XX', 1, ARGV[1]) return redis.call('ZSCORE', KEYS[1], ARGV[1])`;
    const score = await this.redis.eval(script, 1, key, member);
    if (score !== '1') throw new Error(`${member} is not in ${key}`);
  }

  meta(field: string): Promise<string | null> {
    return this.redis.hget(keys.meta(this.cell), field);
  }

  async setMeta(field: string, value: number | string): Promise<void> {
    await this.redis.hset(keys.meta(this.cell), field, value);
  }

  async dump(): Promise<Dump> {
    const rows = (await this.redis.callBuffer('EVAL', [
      DUMP,
      '1',
      keys.meta(this.cell),
      `${this.cell.prefix}*`,
    ])) as [Buffer, Buffer, Buffer[]][];
    const dump: Dump = new Map();
    for (const [name, kind, content] of rows) {
      const map = new Map<string, string>();
      if (kind.toString() === 'list')
        content.forEach((bytes, index) => map.set(String(index), bytes.toString('latin1')));
      else {
        for (let i = 0; i < content.length; i += 2) {
          map.set((content[i] as Buffer).toString('latin1'), (content[i + 1] as Buffer).toString('latin1'));
        }
      }
      dump.set(name.toString(), map);
    }
    return dump;
  }

  /** Makes a call twice; the second must change nothing but what moves with the clock. Gives both answers. */
  async twice<T>(call: () => Promise<T>): Promise<[T, T]> {
    const first = await call();
    const before = settled(await this.dump(), this.cell);
    const second = await call();
    expectSame(settled(await this.dump(), this.cell), before, 'what a second call leaves');
    return [first, second];
  }

  /** Everything said on the bus while `body` ran. */
  async overheard(body: () => Promise<unknown>): Promise<BusMessage[]> {
    const heard: string[] = [];
    const subscriber = await connectSubscriber({ target: this.url, name: 'test' });
    try {
      const channel = keys.bus(this.cell);
      await subscriber.subscribe(channel, (message) => heard.push(message));
      await body();
      await this.redis.eval(`redis.call('SPUBLISH', ARGV[1], 'end')`, 1, keys.meta(this.cell), channel);
      await until('the end of the talk', () => heard.at(-1) === 'end');
      return heard.slice(0, -1).map((text) => JSON.parse(text) as BusMessage);
    } finally {
      await subscriber.close();
    }
  }
}

export function expectSame(found: unknown, expected: unknown, what: string): void {
  expect(found, `difference: ${what}`).toEqual(expected);
}

/**
 * What may change by a repeated call: `wasted` counts every refused result; `sweptAt`, `dueAt` and the like say when; leases,
 * the places of idle coordinators, and those of workflows to decide (named, they go to the end of the line), move with the
 * clock.
 */
export function settled(dump: Dump, cell: Cell): Dump {
  const kept: Dump = new Map();
  for (const [name, content] of dump) {
    const timed =
      name === keys.leases(cell) || name === keys.todo(cell) || name.startsWith(keys.idle(cell, ''));
    const entries = [...content].filter(
      ([field]) =>
        name !== keys.meta(cell) ||
        !['wasted', 'sweptAt', 'graceUntil', 'dueAt', 'spareUntil'].includes(field),
    );
    if (entries.length > 0)
      kept.set(name, new Map(timed ? entries.map(([member]) => [member, '']) : entries));
  }
  return kept;
}

export function readJobRow(bytes: Buffer): Job {
  return readJobRecord(bytes);
}

export function readClaim(reply: readonly unknown[]): Claimed {
  const grants: Granted[] = [];
  for (let i = 1; i < reply.length;) {
    const [index, text, token, attempt, cost, input, slot, hasHead] = reply[i++] as Grant;
    const head = hasHead ? readHead(reply[i++] as Buffer) : undefined;
    refsIn(parseSlice(text)).forEach((ref, at) =>
      grants.push({
        ask: index,
        ref,
        token: tokenAfter(token, at),
        attempt,
        cost,
        input: input === false ? undefined : input,
        slot: slot + at,
        head,
      }),
    );
  }
  const [short, flat] = reply[0] as ClaimShort;
  const left = flat.flatMap((ask, i): [number, number][] =>
    i % 2 === 0 ? [[ask, flat[i + 1] as number]] : [],
  );
  return { short, left, grants };
}

/** The jobs a slice stands for. */
export function refsIn({ wid, step, ordinal, count }: Slice): string[] {
  return Array.from({ length: count }, (_, at) => jobRef(wid, step, ordinal + at));
}

type PackedEntry = [first: number, at: number, tag: string, events: LogEvent[]];

function expand(entries: readonly PackedEntry[]): SaidEvent[] {
  return entries.flatMap(([first, , tag, list]) => {
    let sequence = first;
    return list.flatMap(([code, step, ordinal, state, ...rest]) => {
      // Of several jobs alike.
      const times = rest[4] ?? 1;
      const said = times > 1 ? rest.slice(0, 3) : rest;
      return Array.from({ length: times }, (_, at) => ({
        sequence: sequence++,
        tag,
        type: EVENT_TYPES[code] as string,
        step,
        ordinal: ordinal + at,
        state,
        rest: said,
      }));
    });
  });
}

/** Logs of a dump, by workflow, without calling a script. */
export function logIn(dump: Dump, cell: Cell, wid: string): SaidEvent[] {
  const listed = [...(dump.get(keys.events(cell, wid)) ?? new Map<string, string>()).values()];
  const head = Buffer.from(dump.get(keys.bucket(cell, wid))?.get(wid) ?? '', 'latin1');
  const entries = head.length === 0 ? head : head.subarray(logOffset(head));
  const inline = (entries.length === 0 ? [] : unpackSequence(entries)) as PackedEntry[];
  const before = listed.flatMap((element) => unpackSequence(Buffer.from(element, 'latin1')) as PackedEntry[]);
  return expand([...before, ...inline]);
}

/** An ask without limits by group. */
export function ask(agent: string, jobs: number, ...classes: string[]): ClaimAsk {
  return [agent, jobs, classes, classes.map((_, index) => index + 1), classes.map(() => jobs)];
}
