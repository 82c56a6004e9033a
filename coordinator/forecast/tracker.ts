/**
 * Checks forecasts against what happens: every now and then a waiting job of each queue is forecast and then looked at until it
 * has started.
 *
 * Invariants:
 * 1. At most TRACKED jobs are looked after and CHECKED read at a time, however much waits.
 * 2. Both times are the store's: the clock of this process may differ from it.
 */
import type { Cluster, Redis } from 'ioredis';
import { isTerminal } from '../../sdk/common/states.ts';
import { cellIndexOf, jobRef, keys, sliceOfMember } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import type { Forecast, Forecasts } from './forecasts.ts';

const TRACKED = 512;
const CHECKED = 128;
/** New jobs of a queue in one round. */
const A_ROUND = 4;

interface Tracked {
  readonly wid: string;
  readonly step: number;
  readonly ordinal: number;
  readonly queue: string;
  /** The store's time when it was forecast, milliseconds. */
  readonly at: number;
  readonly forecast: Forecast;
}

export interface TrackerOptions {
  readonly redis: Redis | Cluster;
  readonly cells: readonly Cell[];
  readonly reads: Reads;
  readonly forecasts: Forecasts;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export class Tracker {
  readonly #options: TrackerOptions;
  readonly #tracked = new Map<string, Tracked>();

  constructor(options: TrackerOptions) {
    this.#options = options;
  }

  /** One round. */
  async run(): Promise<void> {
    await this.#check();
    await this.#begin();
  }

  async #check(): Promise<void> {
    const { cells, reads, forecasts } = this.#options;
    const some = [...this.#tracked].slice(0, CHECKED);
    await Promise.all(
      some.map(async ([ref, tracked]) => {
        const { wid, step, ordinal, queue, at, forecast } = tracked;
        const cell = cells[cellIndexOf(wid)] as Cell;
        const [job] = await reads.jobs(cell, wid, step, ordinal, ordinal + 1);
        this.#tracked.delete(ref);
        if (job === undefined) return;
        if (job.startedAt > at) forecasts.started(queue, forecast, job.startedAt - at);
        // Behind the others: each gets its turn.
        else if (!isTerminal(job.state)) this.#tracked.set(ref, tracked);
      }),
    );
  }

  async #begin(): Promise<void> {
    const { redis, reads, forecasts, random } = this.#options;
    const outlook = await forecasts.outlook();
    const waiting = [...outlook.waiting()];
    if (waiting.length === 0) return;
    const [seconds, micros] = await redis.time();
    const at = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    await Promise.all(
      waiting.flatMap(({ name, now }) =>
        Array.from({ length: A_ROUND }, async () => {
          if (now === undefined) return;
          const rank = String(Math.floor(random() * now.entries));
          const [member] = await redis.zrange(keys.queue(now.cell, name), rank, rank);
          if (member === undefined) return;
          const { wid, step, ordinal } = sliceOfMember(member);
          const ref = jobRef(wid, step, ordinal);
          if (this.#tracked.has(ref) || this.#tracked.size >= TRACKED) return;
          const [job] = await reads.jobs(now.cell, wid, step, ordinal, ordinal + 1);
          if (job === undefined) return;
          forecasts.sawCost(name, job.cost);
          const [forecast] = await forecasts.of(now.cell, [{ wid, step, ordinal, job }]);
          if (forecast?.known === true)
            this.#tracked.set(ref, { wid, step, ordinal, queue: name, at, forecast });
        }),
      ),
    );
  }
}
