/**
 * The last finished jobs of each step type: what heartbeats report and what the queue ahead is sized by.
 *
 * 1. Only jobs that succeeded count: a job that fails at once says nothing about speed.
 * 2. `add` is O(1) and allocates nothing in the steady state: it is on the path of every job.
 */
import { costPerSecond, driftOf } from './rate.ts';
import type { Sample } from './rate.ts';

const WINDOW = 50;
const RUN_MS_WEIGHT = 1 / 16;

interface TypeTally {
  readonly window: { cost: number; runMs: number }[];
  next: number;
  finished: number;
  meanRunMs: number;
  /** What `figureOf` made when so many had finished. */
  figure: number | undefined;
  figuredAt: number;
}

export interface ThroughputFigure {
  readonly type: string;
  readonly costPerSecond: number;
  readonly samples: number;
  readonly smallJobsDrift: number;
  readonly largeJobsDrift: number;
}

export class ThroughputTally {
  #types = new Map<string, TypeTally>();

  /** One more success (1). Returns how many of the type there were. */
  add(type: string, cost: number, runMs: number): number {
    let tally = this.#types.get(type);
    if (tally === undefined) {
      tally = { window: [], next: 0, finished: 0, meanRunMs: runMs, figure: undefined, figuredAt: 0 };
      this.#types.set(type, tally);
    }
    const slot = tally.window[tally.next];
    if (slot === undefined) tally.window.push({ cost, runMs });
    else {
      slot.cost = cost;
      slot.runMs = runMs;
    }
    tally.next = (tally.next + 1) % WINDOW;
    tally.meanRunMs += (runMs - tally.meanRunMs) * RUN_MS_WEIGHT;
    tally.finished += 1;
    return tally.finished;
  }

  /** Recent mean run time; undefined before the first success. */
  meanRunMs(type: string): number | undefined {
    return this.#types.get(type)?.meanRunMs;
  }

  /** Cost a second of one type; undefined for fewer than `least` jobs. Made anew only when a job has ended since. */
  figureOf(type: string, least: number): number | undefined {
    const tally = this.#types.get(type);
    if (tally === undefined || tally.window.length < least) return undefined;
    if (tally.figuredAt !== tally.finished) {
      tally.figure = costPerSecond(inOrder(tally));
      tally.figuredAt = tally.finished;
    }
    return tally.figure;
  }

  figures(): ThroughputFigure[] {
    const figures: ThroughputFigure[] = [];
    for (const [type, tally] of this.#types) {
      const samples = inOrder(tally);
      const rate = costPerSecond(samples);
      if (rate === undefined) continue;
      const { small, large } = driftOf(samples);
      figures.push({
        type,
        costPerSecond: rate,
        samples: samples.length,
        smallJobsDrift: small,
        largeJobsDrift: large,
      });
    }
    return figures;
  }
}

function inOrder(tally: TypeTally): readonly Sample[] {
  return [...tally.window.slice(tally.next), ...tally.window.slice(0, tally.next)];
}
