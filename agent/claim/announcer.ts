/**
 * Says "accepted" and "started" for jobs that are not finished soon: one timer for all of them.
 *
 * A job that ends within `ANNOUNCE_MS` needs neither: its completion says both. Two generations, one tick each: a job
 * is announced at its second tick, so between half of ANNOUNCE_MS and ANNOUNCE_MS after it came.
 *
 * 1. No timer runs while nothing waits to be announced.
 * 2. A job that is over is never announced.
 */
import type { HeldJob } from './held-job.ts';

/** An accept costs the store as much as a whole short job, and offers are valid for 15 s: worth waiting a little. */
export const ANNOUNCE_MS = 200;
const TICK_MS = Math.ceil(ANNOUNCE_MS / 2);

export class Announcer {
  readonly #announce: (job: HeldJob) => void;
  #young: HeldJob[] = [];
  #old: HeldJob[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(announce: (job: HeldJob) => void) {
    this.#announce = announce;
  }

  add(job: HeldJob): void {
    this.#young.push(job);
    this.#timer ??= setTimeout(this.#tick, TICK_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#young = [];
    this.#old = [];
  }

  readonly #tick = (): void => {
    const due = this.#old;
    this.#old = this.#young;
    this.#young = [];
    for (const job of due) if (job.phase !== 'over' && !job.announced) this.#announce(job);
    this.#timer = this.#old.length === 0 ? undefined : setTimeout(this.#tick, TICK_MS);
  };
}
