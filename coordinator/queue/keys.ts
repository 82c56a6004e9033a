/**
 * Names of ids and of every Redis key. The functions of `lua/lib/cell.lua` mirror these; a test holds both together.
 *
 * A workflow's local id (`wid`) is 2 base-36 digits of its cell and 24 hex digits of a hash of tenant and request id:
 * the same request always names the same workflow, so idempotency needs no index of its own.
 */
import { hash } from 'node:crypto';

/** Hex digits of the hash kept in an id: 96 bits. */
const HASH_DIGITS = 24;

/** Hashes of records per cell: 16^1. Few, so that one call reads and writes many records; see docs/adr/0002. */
const BUCKET_DIGITS = 1;

/** One part of the key space that a script changes atomically: every key of it lies in one cluster slot. */
export interface Cell {
  readonly index: number;
  /** Hash tag without braces. */
  readonly tag: string;
  /** What every key of the cell begins with. */
  readonly prefix: string;
}

export function makeCell(namespace: string, index: number, tag: string): Cell {
  return { index, tag, prefix: `${namespace}:{${tag}}:` };
}

/** Local id of the workflow that (tenant, request id) names. */
export function workflowKey(tenant: string, requestId: string, cells: number): string {
  const digest = hash('sha256', `${tenant.length}:${tenant}${requestId}`, 'hex');
  const cell = cells === 1 ? 0 : Number.parseInt(digest.slice(56), 16) % cells;
  return cell.toString(36).padStart(2, '0') + digest.slice(0, HASH_DIGITS);
}

const WORKFLOW_ID = /^wf_([0-9a-z]{2}[0-9a-f]{24})$/;
const JOB_ID = /^job_([0-9a-z]{2}[0-9a-f]{24})-(\d{1,5})-(\d{1,7})$/;

/** Public id of a workflow. */
export function workflowId(wid: string): string {
  return `wf_${wid}`;
}

/** Local id, or undefined when the text is no workflow id. */
export function parseWorkflowId(id: string): string | undefined {
  return WORKFLOW_ID.exec(id)?.[1];
}

/** Public id of a job. */
export function jobId(ref: string): string {
  return `job_${ref}`;
}

/** A job's place: workflow, step index, ordinal in the step. */
export interface JobRef {
  readonly wid: string;
  readonly step: number;
  readonly ordinal: number;
}

export function parseJobId(id: string): (JobRef & { readonly ref: string }) | undefined {
  const match = JOB_ID.exec(id);
  if (match === null) return undefined;
  return { wid: match[1] as string, step: Number(match[2]), ordinal: Number(match[3]), ref: id.slice(4) };
}

/** Characters of a local id. */
export const WID_LENGTH = 26;

export function jobRef(wid: string, step: number, ordinal: number): string {
  return `${wid}-${step}-${ordinal}`;
}

export function parseJobRef(ref: string): JobRef {
  const first = ref.indexOf('-');
  const second = ref.indexOf('-', first + 1);
  return {
    wid: ref.slice(0, first),
    step: Number(ref.slice(first + 1, second)),
    ordinal: Number(ref.slice(second + 1)),
  };
}

/** Consecutive jobs of a step, as entries of queues and offers name them. */
export interface Slice extends JobRef {
  readonly count: number;
}

/** `<wid>-<step>-<n>`, `<wid>-<step>-<n>+<count>` for several of a run, or `<wid>` for a solo record's. */
export function parseSlice(text: string): Slice {
  if (text.length === WID_LENGTH) return { wid: text, step: 0, ordinal: 0, count: 1 };
  const plus = text.indexOf('+', WID_LENGTH);
  if (plus < 0) return { ...parseJobRef(text), count: 1 };
  return { ...parseJobRef(text.slice(0, plus)), count: Number(text.slice(plus + 1)) };
}

/** The jobs a queue's member stands for, the first of them in front. */
export function sliceOfMember(member: string): Slice {
  return parseSlice(member.slice(11));
}

/** Cell a local id lies in. */
export function cellIndexOf(wid: string): number {
  return Number.parseInt(wid.slice(0, 2), 36);
}

export const keys = {
  /** Hash: counters and facts about the cell itself. */
  meta: (cell: Cell) => `${cell.prefix}m`,
  /** Hash of packed records: head `<wid>`, claim of a solo record `<wid>h`, plan `<wid>p`, step chunk `<wid>s<k>`,
   * job `<wid>-<step>-<n>`, run of the jobs of a block `<wid>-<step>r<block>`, their inputs `<wid>-<step>i<block>`,
   * outputs of some of them `<wid>-<step>d<n of the first>`. */
  bucket: (cell: Cell, wid: string) => `${cell.prefix}w:${wid.slice(2, 2 + BUCKET_DIGITS)}`,
  /** List: event entries of a workflow that outgrew its head. */
  events: (cell: Cell, wid: string) => `${cell.prefix}e:${wid}`,
  /** Zset: queue of a capability class. */
  queue: (cell: Cell, name: string) => `${cell.prefix}q:${name}`,
  /** Hash: fair-queueing clocks of a class. */
  fair: (cell: Cell, name: string) => `${cell.prefix}v:${name}`,
  /** Hash: class name → canonical requirement, JSON text. */
  classes: (cell: Cell) => `${cell.prefix}c`,
  /** Zset: offers by the time they lapse. */
  offers: (cell: Cell) => `${cell.prefix}o`,
  /** Zset: accepted leases by the time they end. */
  leases: (cell: Cell) => `${cell.prefix}l`,
  /** Zset: timers by due time. */
  timers: (cell: Cell) => `${cell.prefix}t`,
  /** Zset: workflows with facts no decision has seen, by when that began. */
  todo: (cell: Cell) => `${cell.prefix}d`,
  /** Hash: last claim of each coordinator. */
  lastClaims: (cell: Cell) => `${cell.prefix}k`,
  /** Zset: coordinators that found the class empty, by when they were last woken. */
  idle: (cell: Cell, name: string) => `${cell.prefix}i:${name}`,
  /** Zset: queue entries taken out of the way, by cause. */
  parked: (cell: Cell, cause: string) => `${cell.prefix}p:${cause}`,
  /** Hash: jobs each tenant holds; there only while some tenant has a cap. */
  held: (cell: Cell) => `${cell.prefix}u`,
  /** List of local ids in the order of creation, one list a UTC day. */
  created: (cell: Cell, day: number) => `${cell.prefix}x:${day}`,
  /** String: written before a wait for replicas (durability t3). */
  barrier: (cell: Cell) => `${cell.prefix}r`,
  /** Shard channel: who should look at what. */
  bus: (cell: Cell) => `${cell.prefix}bus`,
  /** Hash: agents known to the fleet. Fleet keys stand beside the cells. */
  agents: (namespace: string) => `${namespace}:{fleet}:agents`,
  /** Hash: step types ever advertised. */
  types: (namespace: string) => `${namespace}:{fleet}:types`,
  /** Hash: token bucket of a limited step type. */
  rate: (namespace: string, type: string) => `${namespace}:{fleet}:rate:${type}`,
  /** Hash: agents shut out, by id, JSON text. */
  quarantine: (namespace: string) => `${namespace}:{fleet}:quarantine`,
  /** Hash: `queue:<class or type>` and `agent:<id>`, JSON text; `drain:<id>` until its agent is told. */
  paused: (namespace: string) => `${namespace}:{fleet}:paused`,
  /** Hash: what was fixed when the key space was created. */
  creation: (namespace: string) => `${namespace}:{fleet}:creation`,
} as const;
