/** A metric never has more than MAX_SERIES series, and what is left out is told as one. */
import { expect, test } from 'vitest';
import { Counters } from '../../../coordinator/metrics/counters.ts';
import { folded } from '../../../coordinator/metrics/fold.ts';
import { MAX_HISTOGRAMS, MAX_SERIES } from '../../../coordinator/metrics/histogram.ts';
import { Scrape } from '../../../coordinator/metrics/scrape.ts';
import type { ScrapeOptions } from '../../../coordinator/metrics/scrape.ts';
import { AgentState } from '../../../proto/gen/index.ts';
import { lint, parseExposition } from '../../support/prometheus-lint.ts';

const add = (one: number, other: number): number => one + other;
const many = (count: number): { labels: { agent: string }; value: number }[] =>
  Array.from({ length: count }, (_, index) => ({ labels: { agent: `a${index}` }, value: 1 }));

test('as many as there may be stay as they are', () => {
  const values = many(MAX_SERIES);
  expect(folded(values, add)).toBe(values);
});

test('of more, the rest is one; nothing is lost from the sum', () => {
  const few = folded(many(MAX_SERIES + 500), add);
  expect(few.length).toBeLessThanOrEqual(MAX_SERIES);
  expect(few.reduce((sum, { value }) => sum + value, 0)).toBe(MAX_SERIES + 500);
  expect(few.at(-1)?.labels).toEqual({ agent: 'other' });
});

test('the rest is told by state', () => {
  const values = Array.from({ length: 2000 }, (_, index) => ({
    labels: { capability: `c${index >> 1}`, state: index % 2 === 0 ? 'waiting' : 'running' },
    value: index % 2 === 0 ? 3 : 1,
  }));
  const few = folded(values, add);
  const total = (state: string): number =>
    few.filter(({ labels }) => labels.state === state).reduce((sum, { value }) => sum + value, 0);
  expect([total('waiting'), total('running')]).toEqual([3000, 1000]);
  expect(few.length).toBeLessThanOrEqual(MAX_SERIES);
});

test('a fleet, queues and step types beyond all bounds: clean, and each metric within its limit', async () => {
  const counters = new Counters();
  for (let type = 0; type < 500; type++) {
    counters.waits.of(`t${type}`).observe(1);
    counters.runs.of(`t${type}`).observe(1);
  }
  const queues = Array.from({ length: 1500 }, (_, index) => ({
    name: `q${index}`,
    waiting: 2,
    running: 1,
    oldestWaitMs: index,
    eligibleAgents: index === 1400 ? 0 : 1,
  }));
  const agents = Array.from({ length: 1500 }, (_, index) => ({
    id: `a${index}`,
    state: AgentState.AGENT_STATE_CONNECTED,
    heartbeatAtMs: 0,
    held: 1,
    advertisement: { slots: 2 },
    throughput: ['x', 'y'].map((type) => ({ type, costPerSecond: 1, samples: 5 })),
  }));
  const options: Partial<ScrapeOptions> = {
    counters,
    queues: () => Promise.resolve(queues as never),
    agents: () => Promise.resolve(agents as never),
    isRedisUp: () => Promise.resolve(true),
    settle: () => Promise.resolve(),
    watchStreams: () => 0,
    now: () => 1000,
    monotonic: () => 0,
    onError: (error) => {
      throw error;
    },
  };
  const text = await new Scrape(options as ScrapeOptions).text();
  expect(lint(text)).toEqual([]);
  const { families } = parseExposition(text);
  const larger = [...families.values()].filter(({ samples }) => samples.length > MAX_SERIES);
  expect(larger.map(({ name }) => name)).toEqual([]);
  const sum = (name: string): number =>
    families.get(name)?.samples.reduce((all, { value }) => all + value, 0) ?? 0;
  expect(sum('dibs_queue_jobs')).toBe(4500);
  expect(sum('dibs_jobs_unrunnable')).toBe(2);
  const eligible = families.get('dibs_queue_eligible_agents')?.samples ?? [];
  expect(eligible.find(({ labels }) => labels['capability'] === 'other')?.value).toBe(0);
  const waits = families.get('dibs_job_wait_seconds')?.samples ?? [];
  const counts = waits.filter(({ name }) => name.endsWith('_count'));
  expect(counts).toHaveLength(MAX_HISTOGRAMS);
  expect(counts.reduce((all, { value }) => all + value, 0)).toBe(500);
});

test('scrapes at one time share a reading, and a later one makes its own', async () => {
  let now = 0;
  let readings = 0;
  const options: Partial<ScrapeOptions> = {
    counters: new Counters(),
    queues: () => Promise.resolve([]),
    agents: () => Promise.resolve([]),
    isRedisUp: () => {
      readings++;
      return Promise.resolve(true);
    },
    settle: () => Promise.resolve(),
    watchStreams: () => 0,
    now: () => now,
    monotonic: () => now,
    onError: () => {},
  };
  const scrape = new Scrape(options as ScrapeOptions);
  await Promise.all([scrape.text(), scrape.text(), scrape.text()]);
  expect(readings).toBe(1);
  now = 1001;
  await scrape.text();
  expect(readings).toBe(2);
});
