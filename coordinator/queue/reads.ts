/**
 * Reads of records that need no script: a hash answers several fields atomically, and every record of a workflow
 * stands in one hash.
 */
import type { Cluster, Redis } from 'ioredis';
import { unpack, unpackSequence } from './codec.ts';
import { jobRef, keys } from './keys.ts';
import type { Cell } from './keys.ts';
import { JOB } from './records.ts';

/** Fields read with one HMGET. */
const PAGE = 512;

export interface JobRecord {
  readonly state: number;
  readonly slot: number;
  readonly queue: string;
  readonly band: number;
  readonly member: string;
  readonly cost: number;
  readonly agent: string;
  readonly hold: number;
  readonly claims: number;
  readonly recoveries: number;
  readonly attempt: number;
  readonly queuedAt: number;
  readonly startedAt: number;
  readonly completedAt: number;
  readonly output: string;
  readonly reason: string;
  readonly message: string;
  readonly progress: number;
  readonly progressSource: number;
  readonly replaces: number;
}

function readJob(bytes: Buffer): JobRecord {
  const packed = unpack<unknown[]>(bytes);
  return {
    state: packed[JOB.state] as number,
    slot: packed[JOB.slot] as number,
    queue: packed[JOB.class] as string,
    band: packed[JOB.band] as number,
    member: packed[JOB.member] as string,
    cost: packed[JOB.cost] as number,
    agent: packed[JOB.agent] as string,
    hold: packed[JOB.hold] as number,
    claims: packed[JOB.claims] as number,
    recoveries: packed[JOB.recoveries] as number,
    attempt: packed[JOB.attempt] as number,
    queuedAt: packed[JOB.queuedAt] as number,
    startedAt: packed[JOB.startedAt] as number,
    completedAt: packed[JOB.completedAt] as number,
    output: packed[JOB.output] as string,
    reason: packed[JOB.reason] as string,
    message: packed[JOB.message] as string,
    progress: packed[JOB.progress] as number,
    progressSource: packed[JOB.progressSource] as number,
    replaces: packed[JOB.replaces] as number,
  };
}

export class Reads {
  readonly #redis: Redis | Cluster;

  constructor(redis: Redis | Cluster) {
    this.#redis = redis;
  }

  /** Head (its packed array) and plan; undefined when there is no such workflow. */
  async headAndPlan(cell: Cell, wid: string): Promise<{ head: unknown[]; plan: Buffer } | undefined> {
    const [head, plan] = await this.fields(cell, wid, [wid, `${wid}p`]);
    if (head === null || head === undefined || plan === null || plan === undefined) return undefined;
    return { head: unpackSequence(head)[0] as unknown[], plan };
  }

  async head(cell: Cell, wid: string): Promise<unknown[] | undefined> {
    const [head] = await this.fields(cell, wid, [wid]);
    return head === null || head === undefined ? undefined : (unpackSequence(head)[0] as unknown[]);
  }

  /** Step chunks by number, each a list of packed steps. */
  async chunks(cell: Cell, wid: string, numbers: readonly number[]): Promise<Map<number, unknown[][]>> {
    const values = await this.fields(
      cell,
      wid,
      numbers.map((number) => `${wid}s${number}`),
    );
    const found = new Map<number, unknown[][]>();
    values.forEach((value, i) => {
      if (value !== null) found.set(numbers[i] as number, unpack<unknown[][]>(value));
    });
    return found;
  }

  /** Jobs of a step with ordinals in [from, to); holes are jobs that do not exist. */
  async jobs(cell: Cell, wid: string, step: number, from: number, to: number): Promise<(JobRecord | undefined)[]> {
    const names: string[] = [];
    for (let ordinal = from; ordinal < to; ordinal++) names.push(jobRef(wid, step, ordinal));
    const values = await this.fields(cell, wid, names);
    return values.map((value) => (value === null ? undefined : readJob(value)));
  }

  /** Fields of the bucket a workflow lies in. */
  async fields(cell: Cell, wid: string, names: readonly string[]): Promise<(Buffer | null)[]> {
    const key = keys.bucket(cell, wid);
    if (names.length <= PAGE) return names.length === 0 ? [] : this.#redis.hmgetBuffer(key, ...names);
    const found: (Buffer | null)[] = [];
    for (let from = 0; from < names.length; from += PAGE) {
      found.push(...(await this.#redis.hmgetBuffer(key, ...names.slice(from, from + PAGE))));
    }
    return found;
  }
}
