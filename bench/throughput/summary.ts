/**
 * What the rounds of a run come to. Pure.
 *
 * Rates are medians over rounds; `ratio` is dibs / peer of the medians, `ratioSpread` of the rounds made in turn. CPU is
 * in seconds per 1000 jobs, which other work on the machine disturbs less than it does rates.
 */
import { significant, spread } from '../support/spread.ts';
import type { Spread } from '../support/spread.ts';
import type { Pair } from './pairs.ts';
import type { Round } from './round.ts';

/** A process near one core is the bottleneck; a machine near all its cores is one too. */
const SATURATED = 0.9;

export interface SideSummary {
  readonly perSecond: Spread;
  /** CPU seconds per 1000 jobs, by role and in all. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly cpuTotal: number;
  /** Share of a core that the busiest thread of a role used. */
  readonly busiest: Readonly<Record<string, number>>;
  readonly cores: number;
  readonly foreignCores: number;
  readonly bottleneck: string;
  readonly jobs: number;
}

/** Undefined without a round. `perFlow`: what one flow counts. */
export function summarise(
  rounds: readonly Round[],
  machineCores: number,
  perFlow = 1,
): SideSummary | undefined {
  if (rounds.length === 0) return undefined;
  const middle = (of: (round: Round) => number): number => spread(rounds.map(of)).median;
  const names = Object.keys(rounds[0]?.roles ?? {});
  const byName = (of: (round: Round, name: string) => number): Record<string, number> =>
    Object.fromEntries(
      names.map((name) => [
        name,
        significant(
          middle((round) => of(round, name)),
          3,
        ),
      ]),
    );
  const cpu = byName((round, name) => (round.roles[name]?.cpuMs ?? 0) / round.jobs / perFlow);
  const busiest = byName((round, name) => round.roles[name]?.busiest ?? 0);
  const cores = middle((round) => round.cores);
  const foreignCores = middle((round) => round.foreignCores);
  const { median, min, max } = spread(rounds.map(({ perSecond }) => perSecond * perFlow));
  return {
    perSecond: { median: Math.round(median), min: Math.round(min), max: Math.round(max) },
    cpu,
    cpuTotal: significant(
      Object.values(cpu).reduce((sum, value) => sum + value, 0),
      3,
    ),
    busiest,
    cores: significant(cores, 3),
    foreignCores: significant(foreignCores, 2),
    bottleneck: bottleneckOf(busiest, cores + foreignCores, machineCores),
    jobs: rounds[0]?.jobs ?? 0,
  };
}

/** The role nearest to one core, and whether the machine had none left. */
export function bottleneckOf(
  busiest: Readonly<Record<string, number>>,
  busyCores: number,
  machineCores: number,
): string {
  const [name, share] = Object.entries(busiest).toSorted(([, a], [, b]) => b - a)[0] ?? ['none', 0];
  const role = `${name} (${Math.round(share * 100)} % of a core)`;
  const full = busyCores >= machineCores * SATURATED;
  if (!full) return share >= SATURATED ? role : `none saturated; nearest ${role}`;
  return `all ${machineCores} cores busy; nearest ${role}`;
}

/** dibs / peer, round by round; undefined where only one side was measured. */
export function ratios(pairs: readonly Pair[]): Spread | undefined {
  const values = pairs.flatMap(({ dibs, peer }) =>
    dibs === undefined || peer === undefined ? [] : [dibs.perSecond / peer.perSecond],
  );
  if (values.length === 0) return undefined;
  const { median, min, max } = spread(values);
  return { median: significant(median, 3), min: significant(min, 3), max: significant(max, 3) };
}
