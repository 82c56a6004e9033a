/**
 * Scenario "dispatch": how long an idle system takes to start a job, one at a time; Dibs over an open submit stream, BullMQ
 * by Queue.add with a waiting worker and QueueEvents.
 *
 * `ratio` is Dibs / BullMQ of the median time from submit to handler start (smaller is better); `ratios` has the 99th
 * percentile, and the same to the moment the submitter has the result.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { overRounds } from '../support/latency.ts';
import type { Latencies } from '../support/latency.ts';
import { significant } from '../support/spread.ts';
import type { Spread } from '../support/spread.ts';
import { readOptions, withFolder } from '../support/scenario.ts';
import type { ScenarioOptions } from '../support/scenario.ts';
import { startDibs } from '../throughput/dibs-side.ts';
import { startPlainPeer } from '../throughput/peer-side.ts';
import type { SystemUnderTest } from '../throughput/round.ts';
import { WORKLOADS } from '../throughput/workloads.ts';

const SHARES = { p50: 0.5, p99: 0.99 } as const;
type Figures = Readonly<Record<`${'toStart' | 'toResult'}${'P50' | 'P99'}Us`, Spread>>;

export async function dispatch(argv: readonly string[]): Promise<number> {
  const options = readOptions('dispatch', argv, { jobs: '1000', rounds: '5', 'warm-up': '1500' });
  if (options === undefined) return 2;
  const rounds = await measure(options);
  const figures = { dibs: figuresOf(rounds.dibs), peer: figuresOf(rounds.peer) };
  const ratios = Object.fromEntries(
    (Object.keys(figures.dibs) as (keyof Figures)[]).map((name) => [
      name.replace('Us', ''),
      significant(figures.dibs[name].median / figures.peer[name].median, 3),
    ]),
  );
  const report = {
    scenario: 'dispatch',
    dibs: figures.dibs.toStartP50Us.median,
    peer: figures.peer.toStartP50Us.median,
    ratio: ratios['toStartP50'],
    unit: 'µs',
    ratios,
    spread: figures,
    rounds: options.rounds,
    jobs: options.jobs,
    isolation: 'inline',
    redis: { appendfsync: 'everysec', transport: 'unix socket' },
  };
  process.stdout.write(`${options.json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}

function measure({ jobs, rounds, warmUp }: ScenarioOptions) {
  return withFolder(async (folder, cleanup) => {
    await mkdir(join(folder, 'dibs'));
    await mkdir(join(folder, 'peer'));
    const one = {
      agents: 1,
      coordinators: 1,
      isolation: 'inline',
      slots: 'auto',
      profileTo: undefined,
    } as const;
    const sides = {
      dibs: await startDibs(join(folder, 'dibs'), { ...one, workload: WORKLOADS.throughput }, cleanup),
      peer: await startPlainPeer(join(folder, 'peer'), { workers: 1, concurrency: 50 }, cleanup),
    };
    const time = ({ submitter }: SystemUnderTest, count: number): Promise<Latencies> =>
      submitter.ask<Latencies>('dispatch', count);
    for (const side of Object.values(sides)) await time(side, warmUp);
    const all: Record<keyof typeof sides, Latencies[]> = { dibs: [], peer: [] };
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? (['dibs', 'peer'] as const) : (['peer', 'dibs'] as const);
      for (const side of order) all[side].push(await time(sides[side], jobs));
    }
    return all;
  });
}

function figuresOf(rounds: readonly Latencies[]): Figures {
  const of = (what: keyof Latencies, share: number): Spread =>
    overRounds(
      rounds.map((round) => round[what]),
      share,
    );
  return {
    toStartP50Us: of('toStart', SHARES.p50),
    toStartP99Us: of('toStart', SHARES.p99),
    toResultP50Us: of('toResult', SHARES.p50),
    toResultP99Us: of('toResult', SHARES.p99),
  };
}
