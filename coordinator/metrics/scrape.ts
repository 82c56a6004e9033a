/**
 * What Prometheus scrapes: counters of this coordinator, and the fleet and its queues as they are at that moment.
 *
 * Invariants:
 * 1. Gauges are made at the scrape, so the series of an agent that is gone or of a queue that nobody knows vanish with it.
 * 2. Scrapes within MAX_AGE_MS share one reading, however many scrape.
 * 3. What is said of the whole fleet says so: of several coordinators one is enough for it.
 * 4. No metric has more than MAX_SERIES series (fold.ts, histogram.ts).
 */
import { Registry } from 'prom-client';
import { AgentState } from '../../proto/gen/index.ts';
import type { AgentRecord } from '../agents/fleet.ts';
import type { QueueNews } from '../forecast/queue-board.ts';
import { finishedLabels } from './counters.ts';
import type { Counters } from './counters.ts';
import { folded } from './fold.ts';
import type { Value } from './fold.ts';
import type { Histogram, Series } from './histogram.ts';

const MAX_AGE_MS = 1000;

type Kind = 'counter' | 'gauge' | 'histogram';
type Fold = (one: number, other: number) => number;

export interface ScrapeOptions {
  readonly counters: Counters;
  readonly queues: () => Promise<readonly QueueNews[]>;
  /** Agents of the whole fleet, those lately lost included, with the state others see. */
  readonly agents: () => Promise<readonly AgentRecord[]>;
  readonly isRedisUp: () => Promise<boolean>;
  /** Makes what was counted of jobs complete; never rejects. */
  readonly settle: () => Promise<void>;
  /** Streams that watch something here. */
  readonly watchStreams: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

interface Reading {
  readonly at: number;
  readonly up: boolean;
  readonly queues: readonly QueueNews[];
  readonly agents: readonly AgentRecord[];
}

const FLEET = 'Of the whole fleet: any one coordinator says it.';
const OWN = 'Of this coordinator since it started.';

export class Scrape {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #options: ScrapeOptions;
  readonly #registry = new Registry();
  #reading: Promise<Reading> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(options: ScrapeOptions) {
    this.#options = options;
    const { counters } = options;
    this.#ofFleet();
    const own = (name: string, help: string, values: () => readonly Value[]): void =>
      this.#add(name, 'counter', `${help} ${OWN}`, () => Promise.resolve(values()));
    own('dibs_jobs_submitted_total', 'Jobs put into queues, retries included.', () => [
      one(counters.jobsSubmitted),
    ]);
    own('dibs_jobs_finished_total', 'Jobs that agents of this coordinator ended.', () =>
      [...counters.finished.entries()].map(([key, { value }]) => ({ labels: finishedLabels(key), value })),
    );
    own('dibs_jobs_stalled_total', 'Stalls of jobs that were found here.', () => [one(counters.jobsStalled)]);
    own('dibs_job_recoveries_total', 'What became of stalled jobs.', () =>
      labelled(counters.recoveries, 'result'),
    );
    own('dibs_claims_total', 'Claims by how much of what was asked for they brought.', () =>
      labelled(counters.claims, 'result'),
    );
    own('dibs_claim_skipped_total', 'Offers and jobs that agents handed back, by reason.', () =>
      labelled(counters.skipped, 'reason'),
    );
    this.#histogram(
      'dibs_job_wait_seconds',
      'Time jobs waited in their queue; of many, some stand for the others.',
      'type',
      counters.waits,
    );
    this.#histogram(
      'dibs_job_run_seconds',
      'Time jobs ran; of many, some stand for the others.',
      'type',
      counters.runs,
    );
    this.#histogram(
      'dibs_redis_command_seconds',
      'Time from sending a script to its answer.',
      'script',
      counters.commands,
    );
    this.#add('dibs_watch_streams', 'gauge', 'Streams that watch a workflow, positions or queues here.', () =>
      Promise.resolve([one(options.watchStreams())]),
    );
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #ofFleet(): void {
    const queue = (name: string, help: string, fold: Fold, values: (queue: QueueNews) => Value[]): void =>
      this.#add(name, 'gauge', `${help} ${FLEET}`, async () =>
        folded((await this.#read()).queues.flatMap(values), fold),
      );
    queue('dibs_queue_jobs', 'Jobs of a capability queue.', add, ({ name, waiting, running }) => [
      { labels: { capability: name, state: 'waiting' }, value: waiting },
      { labels: { capability: name, state: 'running' }, value: running },
    ]);
    queue('dibs_queue_oldest_wait_seconds', 'Age of the job at the front.', Math.max, (of) => [
      { labels: { capability: of.name }, value: of.oldestWaitMs / 1000 },
    ]);
    queue('dibs_queue_eligible_agents', 'Connected agents that can run its jobs.', Math.min, (of) => [
      { labels: { capability: of.name }, value: of.eligibleAgents },
    ]);
    this.#add(
      'dibs_jobs_unrunnable',
      'gauge',
      `Waiting jobs that no connected agent can run. ${FLEET}`,
      async () => {
        const { queues } = await this.#read();
        const stuck = queues.filter(({ eligibleAgents }) => eligibleAgents === 0);
        return [one(stuck.reduce((sum, { waiting }) => sum + waiting, 0))];
      },
    );
    this.#add('dibs_agents', 'gauge', `Agents by state. ${FLEET}`, async () => {
      const counts = new Map<string, number>(Object.values(STATES).map((state) => [state, 0]));
      for (const { state } of (await this.#read()).agents) {
        const name = STATES[Number(state)] ?? 'unknown';
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      return [...counts].map(([state, value]) => ({ labels: { state }, value }));
    });
    this.#add('dibs_agent_slots', 'gauge', `Slots of connected agents. ${FLEET}`, async () => {
      let [busy, free] = [0, 0];
      for (const { advertisement, held } of await this.#living()) {
        const slots = advertisement?.slots ?? 0;
        busy += Math.min(held, slots);
        free += Math.max(0, slots - held);
      }
      return [
        { labels: { state: 'busy' }, value: busy },
        { labels: { state: 'free' }, value: free },
      ];
    });
    const agent = (name: string, help: string, fold: Fold, values: (agent: AgentRecord) => Value[]): void =>
      this.#add(name, 'gauge', `${help} ${FLEET}`, async () =>
        folded((await this.#living()).flatMap(values), fold),
      );
    agent('dibs_agent_heartbeat_age_seconds', 'Time since an agent was heard.', Math.max, (of) => [
      { labels: { agent: of.id }, value: Math.max(0, this.#options.now() - of.heartbeatAtMs) / 1000 },
    ]);
    agent(
      'dibs_agent_throughput_cost_per_second',
      'Cost a second of one running job.',
      Math.max,
      ({ id, throughput }) =>
        throughput.map(({ type, costPerSecond }) => ({ labels: { agent: id, type }, value: costPerSecond })),
    );
    this.#add('dibs_redis_up', 'gauge', 'Whether Redis answers this coordinator.', async () => [
      one((await this.#read()).up ? 1 : 0),
    ]);
  }

  async #living(): Promise<readonly AgentRecord[]> {
    return (await this.#read()).agents.filter(({ state }) => state !== AgentState.AGENT_STATE_LOST);
  }

  #read(): Promise<Reading> {
    const now = this.#options.monotonic();
    if (this.#reading === undefined || now - this.#readAt > MAX_AGE_MS) {
      this.#readAt = now;
      this.#reading = this.#look(now);
    }
    return this.#reading;
  }

  async #look(at: number): Promise<Reading> {
    const { queues, agents, isRedisUp, settle, onError } = this.#options;
    const up = await isRedisUp();
    if (!up) return { at, up, queues: [], agents: [] };
    try {
      const [allQueues, allAgents] = await Promise.all([queues(), agents(), settle()]);
      return { at, up, queues: allQueues, agents: allAgents };
    } catch (error) {
      onError(error);
      return { at, up: false, queues: [], agents: [] };
    }
  }

  #histogram(name: string, help: string, label: string, series: Series<Histogram>): void {
    this.#add(name, 'histogram', `${help} ${OWN}`, async () => {
      await this.#read();
      return [...series.entries()].flatMap(([key, of]) => valuesOf(name, { [label]: key }, of));
    });
  }

  #add(name: string, type: Kind, help: string, read: () => Promise<readonly Value[]>): void {
    const get = async (): Promise<unknown> => ({ name, help, type, values: await read(), aggregator: 'sum' });
    this.#registry.registerMetric({ name, get, reset: () => {} } as never);
  }
}

const STATES: Readonly<Record<number, string>> = {
  [AgentState.AGENT_STATE_CONNECTED]: 'connected',
  [AgentState.AGENT_STATE_DRAINING]: 'draining',
  [AgentState.AGENT_STATE_LOST]: 'lost',
  [AgentState.AGENT_STATE_PAUSED]: 'paused',
  [AgentState.AGENT_STATE_QUARANTINED]: 'quarantined',
  [AgentState.AGENT_STATE_CANARY]: 'canary',
};

const add: Fold = (one, other) => one + other;

function one(value: number): Value {
  return { labels: {}, value };
}

function labelled(series: Series<{ readonly value: number }>, label: string): Value[] {
  return [...series.entries()].map(([key, { value }]) => ({ labels: { [label]: key }, value }));
}

function valuesOf(name: string, labels: Value['labels'], histogram: Histogram): Value[] {
  const counts = histogram.cumulative();
  return [
    ...counts.map((value, index) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: histogram.bounds[index] ?? '+Inf' },
      value,
    })),
    { metricName: `${name}_sum`, labels, value: histogram.sum },
    { metricName: `${name}_count`, labels, value: histogram.count },
  ];
}
