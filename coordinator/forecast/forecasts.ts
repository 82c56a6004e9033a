/**
 * Where waiting jobs stand and when they will start, and how well that was told.
 *
 * Siblings: `outlook.ts` is the picture all answers of a moment are taken from, `ratios.ts` what was learnt from earlier ones.
 *
 * Invariants:
 * 1. One outlook serves everybody who asks within MAX_AGE_MS: what a question costs does not depend on how many ask.
 * 2. A job's place in its own queue is read anew for every answer.
 */
import type { Cluster, Redis } from 'ioredis';
import type { Classes } from '../agents/classes.ts';
import type { Fleet } from '../agents/fleet.ts';
import { State } from '../../sdk/common/states.ts';
import type { Cell } from '../queue/keys.ts';
import type { JobRecord, Reads } from '../queue/reads.ts';
import { Standing } from '../queue/standing.ts';
import type { Place } from '../queue/standing.ts';
import { unrunnableReason } from './explain.ts';
import { Outlook, rivalJobs } from './outlook.ts';
import type { QueueOutlook } from './outlook.ts';
import { Ratios } from './ratios.ts';
import type { Band, Quality } from './ratios.ts';
import { costBetween, orderOf, readQueues, sameBand } from './snapshot.ts';

/** An outlook older than this is made anew, milliseconds; who asks meanwhile gets the one there is. */
const FRESH_MS = 250;
/** One older than this is waited for. */
const MAX_AGE_MS = 1000;
/** Pairs of a queue's own from which its own band is used. */
const OWN_SAMPLES = 20;
/** Share of a new cost in the mean of those seen. */
const SEEN_WEIGHT = 0.2;

export interface WaitingJob {
  readonly wid: string;
  readonly step: number;
  readonly ordinal: number;
  readonly job: JobRecord;
}

export interface Forecast {
  readonly position: number;
  readonly exact: boolean;
  /** Place in its own queue. */
  readonly own: number;
  readonly costAhead: number;
  readonly eligibleAgents: number;
  readonly likelyAgentId: string;
  readonly known: boolean;
  /** What the simulation says, before anything learnt. */
  readonly rawMs: number;
  readonly startInP50Ms: number;
  readonly startInP90Ms: number;
  readonly doneInP50Ms: number;
  readonly doneInP90Ms: number;
  readonly unrunnableReason: string;
}

export interface ForecastsOptions {
  readonly redis: Redis | Cluster;
  readonly cells: readonly Cell[];
  readonly classes: Pick<Classes, 'needs'>;
  readonly reads: Reads;
  readonly fleet: Pick<Fleet, 'members'>;
  /** Weight of a tenant, thousandths. */
  readonly weightOf: (tenant: string) => number;
  /** Of the process, milliseconds. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

export class Forecasts {
  readonly #options: ForecastsOptions;
  #outlook: Outlook | undefined;
  #making: Promise<Outlook> | undefined;
  readonly #ratios = new Map<string, Ratios>();
  readonly #all = new Ratios();
  readonly #seen = new Map<string, number>();

  constructor(options: ForecastsOptions) {
    this.#options = options;
  }

  /** At most MAX_AGE_MS old. */
  outlook(): Promise<Outlook> {
    const known = this.#outlook;
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : this.#options.monotonic() - known.at;
    if (known === undefined || ageMs > MAX_AGE_MS) return this.#anew();
    if (ageMs > FRESH_MS) this.#anew().catch(this.#options.onError);
    return Promise.resolve(known);
  }

  /** Begun from now on: one that is being made may not know what was stored since. */
  async #later(): Promise<Outlook> {
    await this.#making?.catch(() => {});
    return this.#anew();
  }

  #anew(): Promise<Outlook> {
    this.#making ??= this.#make().finally(() => (this.#making = undefined));
    return this.#making;
  }

  /** Undefined for a job that stands in no queue. All of one cell. */
  async of(cell: Cell, jobs: readonly WaitingJob[]): Promise<(Forecast | undefined)[]> {
    let outlook = await this.outlook();
    const standing = new Standing(this.#options.redis, this.#options.reads, cell);
    const places = await Promise.all(
      jobs.map(async ({ wid, step, ordinal, job }) =>
        job.state === State.unassigned ? standing.of(wid, step, ordinal, job) : undefined,
      ),
    );
    // A queue that was empty when the outlook was made.
    const isNew = places.some(
      (place, index) =>
        place !== undefined && outlook.queue(cell.index, (jobs[index] as WaitingJob).job.queue) === undefined,
    );
    if (isNew) outlook = await this.#later();
    return places.map((place, index) => {
      const { job } = jobs[index] as WaitingJob;
      return place && this.at(outlook, cell, job.queue, job.cost, place);
    });
  }

  /** For a job of this cost that stands there. */
  at(outlook: Outlook, cell: Cell, name: string, cost: number, place: Place): Forecast {
    const { members, needs } = { members: this.#options.fleet, needs: this.#options.classes.needs };
    const { eligible } = outlook.agentsOf(name);
    const agent = outlook.likely(name);
    const queue = outlook.queue(cell.index, name);
    const rivals = agent === undefined ? [] : outlook.rivals(cell.index, name, agent);
    const order = orderOf(place.member, place.score);
    const own = place.position - 1;
    let jobs = own;
    let costAhead = queue === undefined ? own : this.#costBefore(queue, place);
    // Where costs differ, those before it decide, not their number.
    const before = queue === undefined ? own : costAhead / queue.meanCost;
    for (const rival of rivals) {
      const count = rivalJobs(rival, order);
      jobs += count;
      costAhead += count * rival.meanCost;
    }
    const need = needs.get(name);
    const raw = queue === undefined ? 0 : outlook.startInMs(queue, before);
    const runMs = outlook.runMs(name, cost);
    const known = agent !== undefined && raw !== undefined && runMs !== undefined;
    const { p50, p90 } = this.bandOf(name);
    const start = known ? raw : 0;
    const run = known ? runMs : 0;
    return {
      position: jobs + 1,
      exact: place.exact && rivals.length === 0 && this.#options.cells.length === 1,
      own: place.position,
      costAhead,
      eligibleAgents: eligible,
      likelyAgentId: agent?.id ?? '',
      known,
      rawMs: start,
      startInP50Ms: Math.round(start * p50),
      startInP90Ms: Math.round(start * p90),
      doneInP50Ms: Math.round(start * p50 + run),
      doneInP90Ms: Math.round(start * p90 + run * Math.max(1, p90 / p50)),
      unrunnableReason: eligible > 0 || need === undefined ? '' : unrunnableReason(need, members.members()),
    };
  }

  bandOf(name: string): Band {
    const own = this.#ratios.get(name);
    return (own?.quality?.samples ?? 0) >= OWN_SAMPLES && own !== undefined ? own.band : this.#all.band;
  }

  qualityOf(name: string): Quality | undefined {
    return this.#ratios.get(name)?.quality;
  }

  /** Of all queues together. */
  get quality(): Quality | undefined {
    return this.#all.quality;
  }

  /** A job whose start was forecast has started. */
  started(
    name: string,
    told: Pick<Forecast, 'rawMs' | 'startInP50Ms' | 'startInP90Ms'>,
    actualMs: number,
  ): void {
    let own = this.#ratios.get(name);
    if (own === undefined) this.#ratios.set(name, (own = new Ratios()));
    const band = { p50Ms: told.startInP50Ms, p90Ms: told.startInP90Ms };
    own.add(told.rawMs, band, actualMs);
    this.#all.add(told.rawMs, band, actualMs);
  }

  /** A job of a queue was looked at. */
  sawCost(name: string, cost: number): void {
    const mean = this.#seen.get(name);
    this.#seen.set(name, mean === undefined ? cost : mean + (cost - mean) * SEEN_WEIGHT);
  }

  /** Cost of the jobs of its own queue before a place: by scores where they tell, else by the mean. */
  #costBefore(queue: QueueOutlook, { position, score, within }: Place): number {
    const jobs = position - 1;
    const { now } = queue;
    const front = now?.places[0];
    if (jobs === 0 || now?.tenant === undefined || front === undefined || !sameBand(front.score, score))
      return jobs * queue.meanCost;
    const entries = costBetween(front.score, score, this.#options.weightOf(now.tenant));
    const byScore = entries + within * queue.meanCost;
    // Scores keep the place of what was canceled: then the mean is nearer.
    return byScore > 0 && byScore < 4 * jobs * queue.meanCost ? byScore : jobs * queue.meanCost;
  }

  async #make(): Promise<Outlook> {
    const { redis, cells, classes, fleet, weightOf, monotonic } = this.#options;
    const names = [...classes.needs.keys()];
    const at = monotonic();
    const queues = await Promise.all(cells.map((cell) => readQueues(redis, cell, names)));
    const outlook = new Outlook({
      at,
      members: fleet.members(),
      needs: classes.needs,
      queues,
      weightOf,
      seenCost: (name) => this.#seen.get(name),
    });
    this.#outlook = outlook;
    return outlook;
  }
}
