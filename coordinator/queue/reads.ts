/**
 * Reads of records that need no script: a hash answers several fields atomically, and every record of a workflow
 * stands in one hash.
 */
import type { Cluster, Redis } from 'ioredis';
import { unpack } from './codec.ts';
import { jobRef, keys } from './keys.ts';
import type { Cell } from './keys.ts';
import { RUN_JOBS, readJobRecord, readRunRecord } from './records.ts';
import type { RunRecord } from './records.ts';
import { chunkField, jobInRun, jobsInChunk, runField, standsIn } from './runs.ts';
import { isSolo, soloJob, withHold } from './solo.ts';

/** Fields read with one HMGET. */
const PAGE = 512;

export interface JobRecord {
  /** It has a record, and where it waits an entry, of its own; else it is part of a run. */
  readonly own: boolean;
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
  return { ...job, own: true, queue: job.class };
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
    const found: (JobRecord | undefined)[] = [];
    for (let at = from; at < to; at += PAGE) {
      found.push(...(await this.#page(cell, wid, step, at, Math.min(to, at + PAGE))));
    }
    return found;
  }

  /** One moment's view of at most PAGE jobs: their own records, and the runs those without one stand in. */
  async #page(
    cell: Cell,
    wid: string,
    step: number,
    from: number,
    to: number,
  ): Promise<(JobRecord | undefined)[]> {
    const names: string[] = [];
    for (let ordinal = from; ordinal < to; ordinal++) names.push(jobRef(wid, step, ordinal));
    const blocks = Math.floor((to - 1) / RUN_JOBS) - Math.floor(from / RUN_JOBS) + 1;
    for (let block = 0; block < blocks; block++)
      names.push(runField(wid, step, from + block * RUN_JOBS, 'r'));
    // The first job may stand in a solo record.
    const first = step === 0 && from === 0;
    if (first) names.push(wid, `${wid}h`);
    const values = await this.#redis.hmgetBuffer(keys.bucket(cell, wid), ...names);
    const runs = values
      .slice(to - from, to - from + blocks)
      .map((bytes) => (bytes === null ? undefined : readRunRecord(bytes)));
    const runAt = (i: number): RunRecord | undefined =>
      runs[Math.floor((from + i) / RUN_JOBS) - Math.floor(from / RUN_JOBS)];
    const chunks = new Map<number, number[]>();
    const found = values.slice(0, to - from).map((value, i) => {
      if (value !== null) return readJob(value);
      const run = runAt(i);
      const job = run && jobInRun(run, wid, step, from + i);
      if (typeof job !== 'number') return job;
      const members = chunks.get(job);
      if (members === undefined) chunks.set(job, [i]);
      else members.push(i);
      return undefined;
    });
    // Once written a chunk stays as it is.
    const outputs = await this.fields(
      cell,
      wid,
      [...chunks.keys()].map((start) => chunkField(wid, step, start)),
    );
    [...chunks].forEach(([start, members], k) => {
      const bytes = outputs[k];
      if (bytes === null || bytes === undefined) return;
      const jobs = jobsInChunk(bytes);
      for (const i of members) found[i] = jobs(runAt(i) as RunRecord, wid, step, from + i, start);
    });
    const [head = null, hold] = first ? values.slice(-2) : [];
    if (head !== null && isSolo(head)) found[0] = soloJob(whole(head, hold), wid);
    return found;
  }

  /** Inputs of the jobs of the run that an ordinal lies in, and the first one's ordinal; undefined when there is no such run. */
  async runInputs(
    cell: Cell,
    wid: string,
    step: number,
    ordinal: number,
  ): Promise<{ readonly from: number; readonly inputs: readonly string[] } | undefined> {
    const [run, inputs] = await this.fields(cell, wid, [
      runField(wid, step, ordinal, 'r'),
      runField(wid, step, ordinal, 'i'),
    ]);
    if (run === null || run === undefined || inputs === null || inputs === undefined) return undefined;
    return { from: readRunRecord(run).from, inputs: unpack<string[]>(inputs) };
  }

  /** Which entry of a queue the waiting jobs of a run are part of, by ordinal; `standsIn`. */
  async entriesOf(cell: Cell, wid: string, step: number, ordinal: number) {
    const [run] = await this.fields(cell, wid, [runField(wid, step, ordinal, 'r')]);
    return standsIn(run ?? undefined, wid, step);
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
