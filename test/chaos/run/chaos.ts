/**
 * One chaos run: a fleet of real processes, consumers that submit, faults from a seed; then calm, and the checker.
 *
 * 1. Faults stop before the end; whatever was acknowledged must end within `settleMs` after that.
 * 2. A process that ends by itself, or a consumer that cannot finish, is a violation like any other.
 * 3. Everything written down stays in the folder.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '../../../sdk/client/index.ts';
import { until } from '../../support/until.ts';
import { check, rulesFor } from '../check/check.ts';
import type { History, Violation } from '../check/history.ts';
import { FaultRunner } from '../faults/act.ts';
import { planFaults } from '../faults/plan.ts';
import type { FaultKind } from '../faults/plan.ts';
import { Fleet } from '../fleet/fleet.ts';
import type { Durability } from '../fleet/redis-member.ts';
import { SCALED_TIMES } from '../fleet/times.ts';
import type { Times } from '../fleet/times.ts';
import type { ConsumerLine, RunLine } from '../history/lines.ts';
import { readDisturbances } from '../history/disturbances.ts';
import { readLines } from '../history/log.ts';
import { Places } from '../history/places.ts';
import { readLeftover, readStored } from '../history/stored.ts';
import { executorModule } from '../workload/executors.ts';
import { submissionAt } from '../workload/shapes.ts';
import type { Weights } from '../workload/shapes.ts';
import { agentNamesIn } from '../history/agent-names.ts';
import { Pulse } from './pulse.ts';
import { recoveryTimes } from './recovery.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** Time of faults and load. */
  readonly seconds: number;
  readonly folder: string;
  readonly faults: ReadonlySet<FaultKind>;
  /** Tree whose programs are run; default this one. */
  readonly root?: string;
  readonly redis?: 'single' | 'cluster';
  readonly durability?: Durability;
  /** Agents in network namespaces of their own, where that is permitted. */
  readonly netns?: boolean;
  readonly times?: Partial<Times>;
  readonly weights?: Weights;
  readonly consumers?: number;
  readonly agents?: number;
  /** Workflows a consumer has under way at most. */
  readonly window?: number;
  readonly settleMs?: number;
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface ChaosResult {
  readonly seed: number;
  readonly acked: number;
  /** Acknowledged workflows that are not there or have not ended. */
  readonly lost: number;
  /** Things that exist or ended more than once. */
  readonly duplicates: number;
  readonly violations: readonly Violation[];
  readonly faults: Readonly<Record<string, number>>;
  readonly stalls: number;
  readonly zombiesRejected: number;
  readonly recoveryMs: { readonly p50: number; readonly p99: number };
}

const SETTLE_MS = 60_000;
/** Requests asked for again at the end. */
const ASKED_AGAIN = 60;
/** Wait for leases of work nobody needs any more. */
const LEFTOVER_MS = 20_000;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, seconds, folder, say = () => {}, settleMs = SETTLE_MS, weights } = options;
  await mkdir(folder, { recursive: true });
  const times = { ...SCALED_TIMES, ...options.times };
  let places: Places | undefined;
  const pulse = new Pulse(times.offerMs / 4);
  const fleet = new Fleet({
    folder,
    ...(options.root === undefined ? {} : { root: options.root }),
    coordinators: 2,
    agents: await agentSpecs(options),
    durability: options.durability ?? 't2',
    redis: options.redis ?? 'single',
    times,
    proxied: options.redis !== 'cluster',
    netns: options.netns ?? false,
  });
  try {
    await fleet.start();
    pulse.start();
    const watched = new Places(fleet.redisUrl);
    places = watched;
    await watched.start();
    const consumerLogs = addConsumers(fleet, options);
    await Promise.all(fleet.consumers.map((consumer) => consumer.start()));
    say(`seed ${seed}: ${fleet.members().length} processes are up`);

    const plan = planFaults(seed, {
      seconds,
      members: fleet.names(),
      leaseMs: times.leaseMs,
      allow: options.faults,
    });
    const faultLog = join(folder, 'faults.jsonl');
    const faults = new FaultRunner(faultLog);
    const signal = options.signal ?? new AbortController().signal;
    await Promise.all([
      faults.run(plan, fleet, fleet.consumers, signal),
      pause(seconds * 1000, undefined, { signal }).catch(() => {}),
    ]);
    await faults.heal();
    say(`seed ${seed}: faults are over, ${plan.length} of them`);

    const violations: Violation[] = [];
    for (const consumer of fleet.consumers) consumer.signal('SIGTERM');
    for (const consumer of fleet.consumers) {
      await consumer.gone(settleMs).catch(() => {
        violations.push({
          rule: 'everything ends',
          what: `${consumer.name} still waits after ${settleMs} ms`,
        });
      });
    }
    const consumers = consumerLogs.flatMap((file) => readLines<ConsumerLine>(file));
    const asked = await askAgain(fleet, consumers, weights);
    await until(
      'the store to be empty of work',
      async () => (await readLeftover(fleet.redisUrl)).length === 0,
      {
        timeoutMs: violations.length > 0 ? 1000 : LEFTOVER_MS,
        everyMs: 200,
      },
    ).catch(() => {});
    const history: History = {
      consumers,
      runs: fleet.agents.flatMap(({ name }) => readLines<RunLine>(runLog(folder, name))),
      disturbances: [...readDisturbances(faultLog), ...pulse.disturbances],
      stored: await readStored(fleet.redisUrl),
      asked,
      agentNames: await agentNamesIn(fleet.redisUrl),
      maxRecoveries: times.maxRecoveries,
      leaseMs: times.leaseMs,
      sweepMs: times.sweepMs,
    };
    violations.push(...check(history, rulesFor(weights)));
    violations.push(...[...watched.findings].map((what) => ({ rule: 'one place at a time', what })));
    await watched.stop();
    await fleet.stop();
    violations.push(...fleet.findings.map((what) => ({ rule: 'no process ends by itself', what })));
    const result = summarize(seed, history, violations, faults.counts);
    await writeFile(join(folder, 'result.json'), JSON.stringify(result, undefined, 1));
    return result;
  } finally {
    pulse.stop();
    await places?.stop();
    await fleet.stop();
  }
}

const ROOT = resolve(import.meta.dirname, '../../..');
/** What agents and consumers run beside the programs under test; taken from their tree, so that its SDK is used. */
const WORKLOAD = 'test/chaos/workload';

async function agentSpecs({
  root = ROOT,
  folder,
  agents = 4,
}: ChaosOptions): Promise<{ name: string; args: string[] }[]> {
  const specs = Array.from({ length: agents }, (_, index) => `agent-${index + 1}`);
  return Promise.all(
    specs.map(async (name) => {
      const module = join(folder, `${name}.executors.ts`);
      const executors = join(root, WORKLOAD, 'executors.ts');
      await writeFile(module, executorModule(executors, { agent: name, log: runLog(folder, name) }));
      return { name, args: ['--executor', module, '--types', 'value.echo', '--slots', '4'] };
    }),
  );
}

function runLog(folder: string, agent: string): string {
  return join(folder, `${agent}.runs.jsonl`);
}

/** Their log files. */
function addConsumers(
  fleet: Fleet,
  { root = ROOT, seed, folder, weights, consumers = 2, window = 24 }: ChaosOptions,
): string[] {
  const program = join(root, WORKLOAD, 'consumer.ts');
  return Array.from({ length: consumers }, (_, index) => {
    const name = `consumer-${index + 1}`;
    const log = join(folder, `${name}.jsonl`);
    // Each begins at another coordinator.
    const addresses = index % 2 === 0 ? fleet.addresses : fleet.addresses.toReversed();
    fleet.addConsumer(name, [
      program,
      ...['--seed', String(seed * 10 + index), '--log', log, '--address', addresses.join(',')],
      ...['--window', String(window)],
      ...(weights === undefined ? [] : ['--weights', JSON.stringify(weights)]),
    ]);
    return log;
  });
}

/** What the coordinators answer, now that all is calm, to requests they were asked before. */
async function askAgain(
  fleet: Fleet,
  lines: readonly ConsumerLine[],
  weights: Weights | undefined,
): Promise<Map<string, string>> {
  const asked = new Map<string, string>();
  const known = lines.filter((line) => line.op === 'ok');
  const step = Math.max(1, Math.floor(known.length / ASKED_AGAIN));
  using client = createClient({ address: fleet.addresses, callTimeoutMs: 5000 });
  for (let index = 0; index < known.length; index += step) {
    const { key } = known[index] as { key: string };
    const [, seed, at] = /^c(\d+)-(\d+)$/.exec(key) ?? [];
    const { workflow } = submissionAt(Number(seed), Number(at), weights);
    const answer = await client.submit(workflow, { requestId: key }).catch((error: unknown) => String(error));
    asked.set(key, typeof answer === 'string' ? answer : answer.workflow.id);
  }
  return asked;
}

const DUPLICATES = new Set(['one workflow per request', 'one end each', 'each slot is filled once']);
const LOST = 'acknowledged workflows exist and end';

function summarize(
  seed: number,
  history: History,
  violations: readonly Violation[],
  faults: Readonly<Record<string, number>>,
): ChaosResult {
  const events = [...history.stored.workflows.values()].flatMap((workflow) => workflow.events);
  return {
    seed,
    acked: new Set(history.consumers.flatMap((line) => (line.op === 'ok' ? [line.id] : []))).size,
    lost: violations.filter(({ rule }) => rule === LOST).length,
    duplicates: violations.filter(({ rule }) => DUPLICATES.has(rule)).length,
    violations,
    faults,
    stalls: events.filter(({ type }) => type === 'job.stalled').length,
    zombiesRejected: history.stored.wasted,
    recoveryMs: recoveryTimes(history),
  };
}
