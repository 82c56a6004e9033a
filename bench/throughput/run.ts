/**
 * The rate scenarios (workloads.ts): no-op jobs through Dibs and through BullMQ, in turn, on the same machine and the same
 * Redis settings.
 *
 * Both sides: 200 bytes of JSON in (60 in a wide fan-out), 200 bytes of JSON out, results kept in Redis, and a submitter that is told of every
 * completion with its result. Only completions the submitter saw count; one missing, doubled or wrong fails the bench.
 *
 *   options.ts   what it can be told           round.ts     one measured round
 *   dibs-side.ts, peer-side.ts  the processes  warm-up.ts   until the code is compiled
 *   pairs.ts     which rounds count             summary.ts   medians, bottleneck
 *   report.ts    table and JSON
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServerBinary } from '../../runtime/redis/server-binary.ts';
import { withCleanup } from '../support/cleanup.ts';
import { nameProfiles } from '../support/profiles.ts';
import { startBeanstalkd } from './beanstalkd-side.ts';
import { startDibs } from './dibs-side.ts';
import { USAGE, throughputOptions } from './options.ts';
import type { Side, ThroughputOptions } from './options.ts';
import { measurePairs } from './pairs.ts';
import type { CountedPairs } from './pairs.ts';
import { startPeer } from './peer-side.ts';
import type { PeerSystem } from './peer-side.ts';
import { jsonReport, tableReport } from './report.ts';
import type { Report } from './report.ts';
import { runRound } from './round.ts';
import type { Round, SystemUnderTest } from './round.ts';
import { ratios, summarise } from './summary.ts';
import { JobNumbers, warmUp } from './warm-up.ts';
import type { WorkloadName } from './workloads.ts';

const PEERS = { bullmq: startPeer, beanstalkd: startBeanstalkd } as const;
/** A round takes about this long. */
const ROUND_MS = 4000;

/** Exit code. */
export async function rates(name: WorkloadName, argv: readonly string[]): Promise<number> {
  let options: ThroughputOptions;
  try {
    options = throughputOptions(name, argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`);
    return 2;
  }
  const report = await measure(options);
  process.stdout.write(options.output === 'json' ? `${jsonReport(report)}\n` : tableReport(report));
  return 0;
}

async function measure(options: ThroughputOptions): Promise<Report> {
  const measured = await withCleanup(async (cleanup) => {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-bench-'));
    cleanup.add(() => rm(folder, { recursive: true, force: true }));
    const numbers = new JobNumbers();
    const { window, workload, warmUpMs } = options;
    const systems: Partial<Record<Side, SystemUnderTest>> = {};
    const jobs: Partial<Record<Side, number>> = {};
    let peer: PeerSystem | undefined;
    for (const side of options.sides) {
      const own = join(folder, side);
      await mkdir(own);
      say(`starting ${side}`);
      if (side === 'dibs') systems.dibs = await startDibs(own, options, cleanup);
      else systems.peer = peer = await PEERS[options.peer](own, numbers, options, cleanup);
      const { stretch } = workload;
      const perSecond = await warmUp(systems[side] as SystemUnderTest, numbers, window, stretch, warmUpMs);
      jobs[side] = options.jobs ?? Math.max(1, Math.ceil((perSecond * ROUND_MS) / 1000 / stretch)) * stretch;
      say(`${side} is warm: ${Math.round(perSecond * workload.perFlow)} ${workload.unit}`);
    }

    const counted = await measurePairs(options.rounds, options.sides, async (side, number) => {
      const count = jobs[side] as number;
      const ask = { first: numbers.take(count), jobs: count, window };
      const round = await runRound(systems[side] as SystemUnderTest, ask);
      const others = round.foreignCores.toFixed(1);
      const cpuMs = (Object.values(round.roles).reduce((sum, use) => sum + use.cpuMs, 0) / count) * 1000;
      say(
        `round ${number}, ${side}: ${Math.round(round.perSecond * workload.perFlow)} ${workload.unit}, ${Math.round(cpuMs / workload.perFlow)} ms CPU per 1000` +
          ` (others used ${others} cores)`,
      );
      return round;
    });
    const pids = new Map((systems.dibs?.processes ?? []).map(({ pid, name }) => [pid, name]));
    return { counted, setting: peer?.setting, tried: peer?.tried ?? [], pids };
  });
  if (options.profileTo !== undefined) await nameProfiles(options.profileTo, measured.pids);

  const { counted, setting, tried } = measured;
  const cores = availableParallelism();
  return {
    options,
    dibs: summarise(roundsOf(counted, 'dibs'), cores, options.workload.perFlow),
    peer: summarise(roundsOf(counted, 'peer'), cores, options.workload.perFlow),
    ratioSpread: ratios(counted.pairs),
    quiet: counted.quiet,
    rounds: counted.pairs.length,
    leftOut: counted.leftOut,
    setting,
    tried,
    redis: (await findServerBinary()).version,
    cores,
  };
}

function roundsOf({ pairs }: CountedPairs, side: Side): Round[] {
  return pairs.flatMap((pair) => pair[side] ?? []);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
