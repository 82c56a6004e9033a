/**
 * Tells submit streams how their workflows ended.
 *
 * Invariants: each waiting is answered once; a workflow of one step that ended by a completion stored here is answered
 * from what is at hand, every other is read from the store; the slow check finds ends whose news was lost.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { HeldJob } from '../agents/held-jobs.ts';
import { SOLO_EVENTS } from '../queue/solo.ts';
import type { Store } from '../queue/store.ts';
import { resultStep } from './reader.ts';
import type { LoadedWorkflow, Reader } from './reader.ts';

export interface WorkflowEnd {
  readonly wid: string;
  readonly state: number;
  readonly reason: string;
  readonly message: string;
  readonly resultJson: string;
  readonly sequence: number;
}

interface Waiting {
  readonly tenant: string;
  readonly done: (end: WorkflowEnd) => void;
  readonly since: number;
  reading: boolean;
  again: boolean;
}

export interface ResultsOptions {
  readonly store: Store;
  readonly reader: Reader;
  readonly now: () => number;
  readonly onError: (error: unknown, wid: string) => void;
}

export class Results {
  readonly #options: ResultsOptions;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(options: ResultsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  wait(wid: string, tenant: string, done: (end: WorkflowEnd) => void): void {
    const entry: Waiting = { tenant, done, since: this.#options.now(), reading: false, again: false };
    const list = this.#waiting.get(wid);
    if (list === undefined) this.#waiting.set(wid, [entry]);
    else list.push(entry);
  }

  /** Nobody wants it any more: the stream is gone. */
  forget(wid: string, done: (end: WorkflowEnd) => void): void {
    const left = (this.#waiting.get(wid) ?? []).filter((entry) => entry.done !== done);
    if (left.length === 0) this.#waiting.delete(wid);
    else this.#waiting.set(wid, left);
  }

  /** A completion stored here ended the workflow. */
  ended(wid: string, state: number, job: HeldJob, output: string): void {
    const list = this.#waiting.get(wid);
    if (list === undefined) return;
    const only = job.plan?.steps.length === 1 ? job.plan.steps[0] : undefined;
    // With a view the step may have got further jobs; a plain job has none.
    const single = job.view === undefined || job.view.steps[0]?.total === 1;
    if (only === undefined || only.fanOut !== null || !single || state !== State.succeeded) {
      this.check(wid);
      return;
    }
    this.#waiting.delete(wid);
    const step = resultStep(only.name, state, output);
    const resultJson = `{"steps":[${step}],"succeeded":1,"failed":0,"total":1}`;
    // Decided without a view: a solo record.
    const sequence = job.view === undefined ? SOLO_EVENTS : 0;
    for (const { done } of list) done({ wid, state, reason: '', message: '', resultJson, sequence });
  }

  /** For a workflow this coordinator did not create with a watch: signs up, then looks whether it has ended already. */
  async follow(wid: string): Promise<void> {
    await this.#options.store.follow(wid);
    this.check(wid);
  }

  /** Something happened to it: read whether it ended. */
  check(wid: string): void {
    const list = this.#waiting.get(wid);
    const first = list?.[0];
    if (first === undefined) return;
    if (first.reading) {
      first.again = true;
      return;
    }
    first.reading = true;
    this.#read(wid, first.tenant)
      .catch((error: unknown) => this.#options.onError(error, wid))
      .finally(() => {
        first.reading = false;
        if (first.again) {
          first.again = false;
          this.check(wid);
        }
      });
  }

  /** The slow check. */
  checkOlderThan(ageMs: number, limit: number): void {
    const before = this.#options.now() - ageMs;
    let count = 0;
    for (const [wid, [first]] of this.#waiting) {
      if (first === undefined || first.since > before) continue;
      this.check(wid);
      if (++count >= limit) return;
    }
  }

  async #read(wid: string, tenant: string): Promise<void> {
    const { reader } = this.#options;
    const loaded = await reader.load(wid, tenant);
    if (loaded === undefined || !isTerminal(loaded.view.state)) return;
    const end = await endOf(reader, loaded);
    const list = this.#waiting.get(wid) ?? [];
    this.#waiting.delete(wid);
    for (const { done } of list) done(end);
  }
}

/** The end of a workflow that is terminal. */
export async function endOf(reader: Reader, loaded: LoadedWorkflow): Promise<WorkflowEnd> {
  const { wid, view } = loaded;
  const resultJson = await reader.result(loaded);
  return {
    wid,
    state: view.state,
    reason: view.reason,
    message: view.message,
    resultJson,
    sequence: view.sequence,
  };
}
