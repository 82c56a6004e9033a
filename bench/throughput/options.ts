/** What a rate scenario can be told. */
import { parseArgs } from 'node:util';
import { WORKLOADS } from './workloads.ts';
import type { Workload, WorkloadName } from './workloads.ts';

export type Side = 'dibs' | 'peer';

export interface ThroughputOptions {
  readonly workload: Workload;
  readonly output: 'table' | 'json';
  /** Flows of a round on either side; undefined = as many as take about ROUND_MS there. */
  readonly jobs: number | undefined;
  readonly rounds: number;
  readonly agents: number;
  /** Jobs an agent runs at once. */
  readonly slots: number | 'auto';
  readonly coordinators: number;
  /** Least time of a warm-up, milliseconds. */
  readonly warmUpMs: number;
  readonly isolation: 'inline' | 'process';
  /** Flows under way at most, on either side. */
  readonly window: number;
  readonly sides: readonly Side[];
  readonly peer: 'bullmq' | 'beanstalkd';
  readonly profileTo: string | undefined;
}

export const USAGE = `dibs bench throughput | fanout | chain3 | fan10: Dibs and BullMQ in turn on the same Redis settings

  -o, --output table|json   default table; json is the last line of standard output
      --jobs N              flows of a round; default as many as take about 4 s, by side
      --rounds N            default 5
      --agents N            Dibs agents; default 2
      --slots N|auto        jobs an agent runs at once; default 64, auto for isolation process
      --coordinators N      Dibs coordinators; default 1
      --warm-up S           seconds either side warms up at least; default 12
      --isolation inline|process   of the no-op executor; default inline
      --window N            flows under way at most, either side; default by scenario
      --peer bullmq|beanstalkd   default bullmq; beanstalkd runs the scenario throughput alone
      --only dibs|peer      one side, for profiling
      --cpu-prof DIR        V8 profiles of the Dibs processes, one file a thread`;

/** Throws a TypeError that names the mistake. */
export function throughputOptions(name: WorkloadName, argv: readonly string[]): ThroughputOptions {
  const workload = WORKLOADS[name];
  const { values } = parseArgs({
    args: [...argv],
    options: {
      output: { type: 'string', short: 'o', default: 'table' },
      jobs: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      agents: { type: 'string', default: '2' },
      slots: { type: 'string' },
      coordinators: { type: 'string', default: '1' },
      'warm-up': { type: 'string', default: '12' },
      isolation: { type: 'string', default: 'inline' },
      window: { type: 'string', default: String(workload.window) },
      only: { type: 'string' },
      peer: { type: 'string', default: 'bullmq' },
      'cpu-prof': { type: 'string' },
    },
  });
  const only = values.only === undefined ? undefined : oneOf('only', values.only, ['dibs', 'peer'] as const);
  const isolation = oneOf('isolation', values.isolation, ['inline', 'process'] as const);
  const peer = oneOf('peer', values.peer, ['bullmq', 'beanstalkd'] as const);
  if (peer === 'beanstalkd' && name !== 'throughput')
    throw new TypeError('--peer beanstalkd has no flows: it runs the scenario throughput alone');
  const slots = values.slots ?? (isolation === 'inline' ? '64' : 'auto');
  return {
    workload,
    output: oneOf('output', values.output, ['table', 'json'] as const),
    jobs: values.jobs === undefined ? undefined : count('jobs', values.jobs),
    rounds: count('rounds', values.rounds),
    agents: count('agents', values.agents),
    slots: slots === 'auto' ? slots : count('slots', slots),
    coordinators: count('coordinators', values.coordinators),
    warmUpMs: count('warm-up', values['warm-up']) * 1000,
    isolation,
    window: count('window', values.window),
    sides: only === undefined ? ['dibs', 'peer'] : [only],
    peer,
    profileTo: values['cpu-prof'],
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`--${name} must be a whole number from 1`);
  return value;
}

function oneOf<const T extends string>(name: string, text: string, words: readonly T[]): T {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new TypeError(`--${name} must be ${words.join(' or ')}`);
  return found;
}
