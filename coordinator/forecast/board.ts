/**
 * Where watched jobs stand: everybody who watches is told what has changed.
 *
 * Invariants:
 * 1. A round costs what has changed: a job whose queue is as it was (`signature`) is not looked at, and one that several watch is
 *    looked at once.
 * 2. Time that passes is no change: a forecast is told again when the moment it names has moved by MOVED_SHARE of what is left and
 *    by MOVED_MS.
 * 3. Progress is read of at most RUNNING jobs a round; a job is told when it is over, and then forgotten.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Progress } from '../progress/estimate.ts';
import type { JobProgress } from '../progress/progress.ts';
import { jobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { JobRecord, Reads } from '../queue/reads.ts';
import type { Forecast, Forecasts } from './forecasts.ts';
import type { Outlook } from './outlook.ts';

const MOVED_SHARE = 0.1;
const MOVED_MS = 1000;
const RUNNING = 256;
/** Progress is told again when it has grown by this. */
const GROWN = 0.01;

export interface WatchedJob {
  readonly cell: Cell;
  readonly wid: string;
  readonly step: number;
  readonly ordinal: number;
}

export interface JobNow {
  readonly ref: string;
  readonly state: number;
  readonly forecast: Forecast | undefined;
  readonly progress: Progress;
  readonly agentId: string;
}

export type BoardListener = (changed: readonly JobNow[]) => void;

interface Entry extends WatchedJob {
  readonly ref: string;
  readonly listeners: Set<BoardListener>;
  job: JobRecord | undefined;
  /** Of its queue when it was looked at last. */
  signature: string;
  told: { readonly now: JobNow; readonly atMs: number } | undefined;
}

export interface BoardOptions {
  readonly forecasts: Forecasts;
  readonly reads: Reads;
  readonly progress: JobProgress;
  /** Of the process, milliseconds. */
  readonly monotonic: () => number;
}

export class Board {
  readonly #options: BoardOptions;
  readonly #entries = new Map<string, Entry>();
  #round: Promise<void> | undefined;

  constructor(options: BoardOptions) {
    this.#options = options;
  }

  /** Who watches. */
  get listening(): number {
    const all = new Set<BoardListener>();
    for (const { listeners } of this.#entries.values()) for (const listener of listeners) all.add(listener);
    return all.size;
  }

  /** Returns the function that signs off. Jobs that are known already are told at once. */
  watch(jobs: readonly WatchedJob[], listener: BoardListener): () => void {
    const known: JobNow[] = [];
    for (const job of jobs) {
      const ref = jobRef(job.wid, job.step, job.ordinal);
      let entry = this.#entries.get(ref);
      if (entry === undefined) {
        entry = { ...job, ref, listeners: new Set(), job: undefined, signature: '', told: undefined };
        this.#entries.set(ref, entry);
      } else if (entry.told !== undefined) known.push(entry.told.now);
      entry.listeners.add(listener);
    }
    if (known.length > 0) listener(known);
    return () => {
      for (const { wid, step, ordinal } of jobs) {
        const ref = jobRef(wid, step, ordinal);
        const entry = this.#entries.get(ref);
        entry?.listeners.delete(listener);
        if (entry?.listeners.size === 0) this.#entries.delete(ref);
      }
    };
  }

  /** One round; calls at the same time are one. */
  run(): Promise<void> {
    if (this.#entries.size === 0) return Promise.resolve();
    this.#round ??= this.#look().finally(() => (this.#round = undefined));
    return this.#round;
  }

  async #look(): Promise<void> {
    const { forecasts, monotonic } = this.#options;
    const outlook = await forecasts.outlook();
    const byCell = new Map<Cell, Entry[]>();
    let running = 0;
    for (const [ref, entry] of this.#entries) {
      if (entry.job === undefined) {
        put(byCell, entry);
        continue;
      }
      if (entry.job.state === State.unassigned) {
        if (signatureOf(outlook, entry) !== entry.signature) put(byCell, entry);
      } else if (running++ < RUNNING) {
        // Behind the others: each gets its turn.
        this.#entries.delete(ref);
        this.#entries.set(ref, entry);
        put(byCell, entry);
      }
    }
    const news = new Map<BoardListener, JobNow[]>();
    for (const [cell, entries] of byCell) {
      for (const entry of entries) entry.signature = signatureOf(outlook, entry);
      const found = await this.#find(cell, entries);
      const atMs = monotonic();
      found.forEach((now, index) => {
        const entry = entries[index] as Entry;
        // Where its queue is known only now, what it was like is, too.
        if (entry.signature === '') entry.signature = signatureOf(outlook, entry);
        if (!differs(entry.told, now, atMs)) return;
        entry.told = { now, atMs };
        for (const listener of entry.listeners) {
          const list = news.get(listener);
          if (list === undefined) news.set(listener, [now]);
          else list.push(now);
        }
        if (isTerminal(now.state)) this.#entries.delete(entry.ref);
      });
    }
    for (const [listener, changed] of news) listener(changed);
  }

  async #find(cell: Cell, entries: readonly Entry[]): Promise<JobNow[]> {
    const { forecasts, reads, progress } = this.#options;
    const read = async (entry: Entry): Promise<void> => {
      const [job] = await reads.jobs(cell, entry.wid, entry.step, entry.ordinal, entry.ordinal + 1);
      entry.job = job;
    };
    const isWaiting = ({ job }: Entry): boolean => job?.state === State.unassigned;
    await Promise.all(entries.filter((entry) => !isWaiting(entry)).map(read));
    const told = new Map<string, Forecast>();
    const place = async (waiting: readonly Entry[]): Promise<void> => {
      const jobs = waiting.map(({ wid, step, ordinal, job }) => ({
        wid,
        step,
        ordinal,
        job: job as JobRecord,
      }));
      (await forecasts.of(cell, jobs)).forEach((forecast, index) => {
        if (forecast !== undefined) told.set((waiting[index] as Entry).ref, forecast);
      });
    };
    const waiting = entries.filter(isWaiting);
    await place(waiting);
    // Those that are not where they were have been taken, or came back to another place.
    const moved = waiting.filter(({ ref }) => !told.has(ref));
    await Promise.all(moved.map(read));
    await place(moved.filter(isWaiting));
    return entries.map(({ ref, job }) => ({
      ref,
      state: job?.state ?? State.canceled,
      forecast: told.get(ref),
      progress: job === undefined ? { fraction: 0, source: 0 } : progress.of(ref, job),
      agentId: job?.agent ?? '',
    }));
  }
}

function put(byCell: Map<Cell, Entry[]>, entry: Entry): void {
  const list = byCell.get(entry.cell);
  if (list === undefined) byCell.set(entry.cell, [entry]);
  else list.push(entry);
}

/** Equal as long as nothing in a job's queue has moved; '' = not known. */
function signatureOf(outlook: Outlook, { cell, job }: Entry): string {
  if (job === undefined) return '';
  const now = outlook.queue(cell.index, job.queue)?.now;
  const { eligible, closed } = outlook.agentsOf(job.queue);
  const front = now?.places[0];
  return `${now?.entries ?? 0} ${now?.jobs ?? 0} ${front?.order ?? 0} ${eligible} ${closed}`;
}

function differs(told: Entry['told'], now: JobNow, atMs: number): boolean {
  if (told === undefined) return true;
  const { now: before } = told;
  if (before.state !== now.state || before.agentId !== now.agentId) return true;
  if (now.progress.source !== before.progress.source) return true;
  if (now.progress.fraction >= before.progress.fraction + GROWN) return true;
  const [one, other] = [before.forecast, now.forecast];
  if (one === undefined || other === undefined) return one !== other;
  if (one.position !== other.position || one.known !== other.known || one.exact !== other.exact) return true;
  if (one.eligibleAgents !== other.eligibleAgents || one.unrunnableReason !== other.unrunnableReason)
    return true;
  const moved = Math.abs(atMs + other.startInP50Ms - (told.atMs + one.startInP50Ms));
  return moved > MOVED_MS && moved > other.startInP50Ms * MOVED_SHARE;
}
