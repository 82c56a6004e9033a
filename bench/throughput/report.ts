/** The report of a run, for people and for programs. Pure. */
import { significant } from '../support/spread.ts';
import type { Spread } from '../support/spread.ts';
import type { ThroughputOptions } from './options.ts';
import type { Tried, WorkerSetting } from './peer-side.ts';
import type { SideSummary } from './summary.ts';

export interface Report {
  readonly options: ThroughputOptions;
  readonly dibs: SideSummary | undefined;
  readonly peer: SideSummary | undefined;
  readonly ratioSpread: Spread | undefined;
  /** Nobody else used the machine much during the rounds that count. */
  readonly quiet: boolean;
  readonly rounds: number;
  /** Rounds made again because others used the machine. */
  readonly leftOut: number;
  readonly setting: WorkerSetting | undefined;
  readonly tried: readonly Tried[];
  readonly redis: string;
  readonly cores: number;
}

/** One line; numbers of a side that was left out are null. */
export function jsonReport(report: Report): string {
  const { options, dibs, peer, ratioSpread, setting, tried, redis, cores } = report;
  const sides = { dibs, peer };
  const of = <T>(pick: (summary: SideSummary) => T): { dibs?: T; peer?: T } =>
    Object.fromEntries(
      Object.entries(sides).flatMap(([side, summary]) =>
        summary === undefined ? [] : [[side, pick(summary)]],
      ),
    );
  return JSON.stringify({
    scenario: options.workload.name,
    dibs: dibs?.perSecond.median ?? null,
    peer: peer?.perSecond.median ?? null,
    ratio: ratioOf(report) ?? null,
    unit: options.workload.unit,
    rounds: report.rounds,
    jobs: of(({ jobs }) => jobs),
    spread: { ...of(({ perSecond: { min, max } }) => [min, max]), ratio: ratioSpread ?? null },
    // CPU seconds per 1000 jobs.
    cpu: Object.fromEntries(
      Object.entries(sides).flatMap(([side, summary]) =>
        Object.entries(summary?.cpu ?? {}).map(([role, value]) => [`${side}.${role}`, value]),
      ),
    ),
    cpuTotal: of(({ cpuTotal }) => cpuTotal),
    cpuRatio: cpuRatioOf(report) ?? null,
    busiestThread: of(({ busiest }) => busiest),
    bottleneck: of(({ bottleneck }) => bottleneck),
    coresUsed: of((summary) => summary.cores),
    coresUsedByOthers: of(({ foreignCores }) => foreignCores),
    quiet: report.quiet,
    roundsLeftOut: report.leftOut,
    agents: options.agents,
    slots: options.slots,
    coordinators: options.coordinators,
    isolation: options.isolation,
    window: options.window,
    peerName: options.peer,
    peerSetting: setting ?? null,
    peerTried: tried,
    payloadBytes: options.workload.name === 'fanout' ? 60 : 200,
    resultBytes: 200,
    redis: { version: redis, appendfsync: 'everysec', policy: 'noeviction', transport: 'unix socket' },
    node: process.versions.node,
    cores,
  });
}

export function tableReport(report: Report): string {
  const { options, dibs, peer, ratioSpread, setting, tried, redis, cores } = report;
  const peerName = options.peer === 'bullmq' ? 'BullMQ' : options.peer;
  const lines = [
    `${options.workload.name}: ${options.workload.about}; ${report.rounds} rounds in turn; ${cores} cores, Redis ${redis}, AOF everysec, ` +
      `Node ${process.versions.node}`,
    `Dibs: ${options.coordinators} coordinators, ${options.agents} agents × ${options.slots} slots, ${options.isolation} executor, 1 consumer`,
  ];
  if (setting !== undefined) {
    const tries = tried.map((each) => `${settingText(each)}: ${each.perSecond}/s`).join(', ');
    lines.push(`${peerName}: ${settingText(setting)} (best of ${tries})`);
  }
  for (const [title, side] of [
    ['Dibs', dibs],
    [peerName, peer],
  ] as const) {
    if (side !== undefined) lines.push('', ...sideLines(title, side));
  }
  const ratio = ratioOf(report);
  if (ratio !== undefined && ratioSpread !== undefined) {
    const { median, min, max } = ratioSpread;
    lines.push('', `Dibs / ${peerName}: ${ratio} (round by round ${median}, ${min} to ${max})`);
    lines.push(`CPU of a ${peerName} job / CPU of a Dibs job: ${cpuRatioOf(report)}`);
  }
  if (!report.quiet)
    lines.push('Other work was using this machine meanwhile: trust the ratios, not the rates.');
  return `${lines.join('\n')}\n`;
}

function sideLines(title: string, side: SideSummary): string[] {
  const { median, min, max } = side.perSecond;
  const roles = Object.entries(side.cpu).map(([name, value]) => {
    const share = Math.round((side.busiest[name] ?? 0) * 100);
    return `  ${name.padEnd(12)} ${(value * 1000).toFixed(1).padStart(7)} ms CPU per 1000 jobs, busiest thread ${share} %`;
  });
  return [
    `${title}: ${median} jobs/s (${min} to ${max}), ${side.jobs} jobs a round`,
    ...roles,
    `  ${'in all'.padEnd(12)} ${(side.cpuTotal * 1000).toFixed(1).padStart(7)} ms; ${side.cores} cores, others ${side.foreignCores}`,
    `  bottleneck: ${side.bottleneck}`,
  ];
}

function ratioOf({ dibs, peer }: Report): number | undefined {
  if (dibs === undefined || peer === undefined) return undefined;
  return significant(dibs.perSecond.median / peer.perSecond.median, 3);
}

/** How many Dibs jobs the CPU of one job of the peer's pays for. Other work on the machine hardly moves it. */
function cpuRatioOf({ dibs, peer }: Report): number | undefined {
  if (dibs === undefined || peer === undefined) return undefined;
  return significant(peer.cpuTotal / dibs.cpuTotal, 3);
}

function settingText({ workers, concurrency }: WorkerSetting): string {
  return `${workers} worker process${workers === 1 ? '' : 'es'} × ${concurrency}`;
}
