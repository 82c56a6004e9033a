/**
 * Reads of records that need no script: a hash answers several fields atomically, and every record of a workflow
 * stands in one hash.
 */
import type { Cluster, Redis } from 'ioredis';
import { jobRef, keys } from './keys.ts';
import type { Cell } from './keys.ts';
import { readJobRecord } from './records.ts';
import { isSolo, soloJob, withHold } from './solo.ts';

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
  readonly blocked: string;
  readonly token: string;
  readonly claimedAt: number;
  /** As stored: `readHistory` reads it. */
  readonly history: Buffer | '';
}

function readJob(bytes: Buffer): JobRecord {
  const job = readJobRecord(bytes);
  return { ...job, queue: job.class };
}

/** A head with what stands beside it. */
function whole(head: Buffer, hold: Buffer | null | undefined): Buffer {
  return hold !== null && hold !== undefined && isSolo(head) ? withHold(head, hold) : head;
}

export class Reads {
  readonly #redis: Redis | Cluster;

  constructor(redis: Redis | Cluster) {
    this.#redis = redis;
  }

  /** Head (its bytes, for `readHead`) and plan; undefined when there is no such workflow. */
  async headAndPlan(cell: Cell, wid: string): Promise<{ head: Buffer; plan: Buffer } | undefined> {
    const [head, hold, plan] = await this.fields(cell, wid, [wid, `${wid}h`, `${wid}p`]);
    if (head === null || head === undefined || plan === null || plan === undefined) return undefined;
    return { head: whole(head, hold), plan };
  }

  async head(cell: Cell, wid: string): Promise<Buffer | undefined> {
    const [head, hold] = await this.fields(cell, wid, [wid, `${wid}h`]);
    return head === null || head === undefined ? undefined : whole(head, hold);
  }

  /** Plans of workflows, in the order asked; undefined where there is none. */
  async plans(cell: Cell, wids: readonly string[]): Promise<(Buffer | undefined)[]> {
    const found = await Promise.all(wids.map((wid) => this.fields(cell, wid, [`${wid}p`])));
    return found.map(([plan]) => plan ?? undefined);
  }

  /** Step chunks by number, as bytes for `addChunk`. */
  async chunks(cell: Cell, wid: string, numbers: readonly number[]): Promise<Map<number, Buffer>> {
    const values = await this.fields(
      cell,
      wid,
      numbers.map((number) => `${wid}s${number}`),
    );
    const found = new Map<number, Buffer>();
    values.forEach((value, i) => {
      if (value !== null) found.set(numbers[i] as number, value);
    });
    return found;
  }

  /** Jobs of a step with ordinals in [from, to); holes are jobs that do not exist. */
  async jobs(
    cell: Cell,
    wid: string,
    step: number,
    from: number,
    to: number,
  ): Promise<(JobRecord | undefined)[]> {
    const names: string[] = [];
    for (let ordinal = from; ordinal < to; ordinal++) names.push(jobRef(wid, step, ordinal));
    // The first job may stand in a solo record.
    const first = step === 0 && from === 0 && names.length > 0;
    if (first) names.push(wid, `${wid}h`);
    const values = await this.fields(cell, wid, names);
    const [head = null, hold] = first ? values.splice(-2) : [];
    const found = values.map((value) => (value === null ? undefined : readJob(value)));
    if (head !== null && isSolo(head)) found[0] = soloJob(whole(head, hold), wid);
    return found;
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
