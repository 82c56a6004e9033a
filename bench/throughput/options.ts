/** What `bench throughput` can be told. */
import { parseArgs } from 'node:util';

export type Side = 'dibs' | 'peer';

export interface ThroughputOptions {
  readonly output: 'table' | 'json';
  /** Jobs of a round on either side; undefined = as many as take about ROUND_MS there. */
  readonly jobs: number | undefined;
  readonly rounds: number;
  readonly agents: number;
  readonly isolation: 'inline' | 'process';
  /** Jobs under way at most, on either side. */
  readonly window: number;
  readonly sides: readonly Side[];
  readonly profileTo: string | undefined;
}

export const USAGE = `dibs bench throughput: no-op jobs per second, Dibs and BullMQ in turn on the same Redis settings

  -o, --output table|json   default table; json is the last line of standard output
      --jobs N              jobs of a round; default as many as take about 4 s, by side
      --rounds N            default 5
      --agents N            Dibs agents; default 2
      --isolation inline|process   of the no-op executor; default inline
      --window N            jobs under way at most, either side; default 10000
      --only dibs|peer      one side, for profiling
      --cpu-prof DIR        V8 profiles of the Dibs processes, one file a thread`;

/** Throws a TypeError that names the mistake. */
export function throughputOptions(argv: readonly string[]): ThroughputOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      output: { type: 'string', short: 'o', default: 'table' },
      jobs: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      agents: { type: 'string', default: '2' },
      isolation: { type: 'string', default: 'inline' },
      window: { type: 'string', default: '10000' },
      only: { type: 'string' },
      'cpu-prof': { type: 'string' },
    },
  });
  const only = values.only === undefined ? undefined : oneOf('only', values.only, ['dibs', 'peer'] as const);
  return {
    output: oneOf('output', values.output, ['table', 'json'] as const),
    jobs: values.jobs === undefined ? undefined : count('jobs', values.jobs),
    rounds: count('rounds', values.rounds),
    agents: count('agents', values.agents),
    isolation: oneOf('isolation', values.isolation, ['inline', 'process'] as const),
    window: count('window', values.window),
    sides: only === undefined ? ['dibs', 'peer'] : [only],
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
