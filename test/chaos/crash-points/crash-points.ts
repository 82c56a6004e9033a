/**
 * All crash points: recorded, then each run in turn; those of coordinators one after the other on one fleet, those of
 * agents a few at a time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentRounds, agentPoints } from './agent-rounds.ts';
import { CoordinatorRounds, coordinatorPoints } from './coordinator-rounds.ts';
import type { Outcome } from './coordinator-rounds.ts';
import { Fleet } from './fleet.ts';
import { endAll } from './process.ts';
import type { CrashPoint } from './points.ts';
import { parsePoint, pointName } from './points.ts';
import { WRITING_SCRIPTS } from './writes.ts';

export interface CrashOptions {
  /** Only points whose name holds this text; those of agents begin with `agent: `. */
  readonly only?: string;
  /** A fixed sample. */
  readonly short?: boolean;
  /** Ends after the point under way. */
  readonly signal?: AbortSignal;
  readonly say: (line: string) => void;
}

export interface CrashResult {
  readonly covered: number;
  readonly total: number;
  /** Points that were not reached, and what was found wrong. */
  readonly failed: readonly Failure[];
}

interface Failure {
  readonly point: string;
  readonly problems: readonly string[];
}

/** What a short run takes: a claim that nobody hears of, a result, a retry, a lapsed offer, a submit; the agent's disk. */
const SAMPLE: readonly string[] = [
  'after claim:work',
  'after complete:fact',
  'before decide:retry',
  'after due:offer',
  'after submit:solo',
  'agent: torn writeFile agent-id.part',
  'agent: after rename spool/*.json.part',
];
/** Findings of one point that are told. */
const TOLD = 12;
/** Agents at once. */
const ABREAST = 3;

export async function runCrashPoints(options: CrashOptions): Promise<CrashResult> {
  const tally = new Tally(options);
  const { only = '' } = options;
  const isAgents = only.startsWith('agent:');
  const first = isAgents ? undefined : coordinators(options, tally);
  // Few points wait mostly for processes to start: side by side they take as long as one half.
  if (options.short !== true) await first;
  await Promise.all([first, only === '' || isAgents ? agents(options, tally) : undefined]);
  if (options.signal?.aborted === true) tally.found('all', ['it was ended before its time']);
  return tally;
}

async function coordinators(options: CrashOptions, tally: Tally): Promise<void> {
  const fleet = await Fleet.start();
  try {
    const rounds = new CoordinatorRounds(fleet);
    const { kinds, problems } = await rounds.record(options.short === true);
    const missing = missingScripts(kinds);
    if (missing.length > 0) problems.push(`scripts the workload never called: ${missing.join(', ')}`);
    tally.found('recording', problems);
    for (const point of chosen(coordinatorPoints(kinds), '', options)) {
      if (options.signal?.aborted === true) break;
      tally.add(await rounds.run(point));
    }
  } finally {
    await fleet.stop();
  }
}

async function agents(options: CrashOptions, tally: Tally): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-crash-'));
  const rounds = await AgentRounds.start(folder);
  try {
    const { kinds, problems } = await rounds.record(options.short === true);
    tally.found('agent: recording', problems);
    const points = chosen(agentPoints(kinds), 'agent: ', options).values();
    await Promise.all(
      Array.from({ length: ABREAST }, async () => {
        for (const point of points) {
          if (options.signal?.aborted === true) break;
          tally.add(await rounds.run(point));
        }
      }),
    );
    tally.found('agent: all', await rounds.finish());
  } finally {
    await endAll(folder);
    await rounds.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function chosen(
  recorded: readonly CrashPoint[],
  prefix: '' | 'agent: ',
  options: CrashOptions,
): CrashPoint[] {
  const { only = '', short = false } = options;
  const ofSample = SAMPLE.filter((name) => name.startsWith('agent: ') === (prefix !== ''));
  const points = short ? ofSample.map((name) => parsePoint(name.slice(prefix.length))) : recorded;
  return points.filter((point) => `${prefix}${pointName(point)}`.includes(only));
}

/** What came of the points so far. */
class Tally implements CrashResult {
  covered = 0;
  total = 0;
  readonly failed: Failure[] = [];
  readonly #say: (line: string) => void;

  constructor({ say }: CrashOptions) {
    this.#say = say;
  }

  add({ point, reached, tries, problems, wallMs }: Outcome): void {
    this.total++;
    if (reached) this.covered++;
    const word = reached ? (problems.length > 0 ? 'FAILED' : 'ok') : 'NOT REACHED';
    const again = tries > 1 ? ` (${tries} tries)` : '';
    this.#say(`${point.padEnd(44)} ${word.padEnd(11)} ${(wallMs / 1000).toFixed(1)} s${again}`);
    this.found(point, reached ? problems : ['not reached', ...problems]);
  }

  found(point: string, problems: readonly string[]): void {
    if (problems.length === 0) return;
    const told = problems.slice(0, TOLD);
    if (problems.length > TOLD) told.push(`and ${problems.length - TOLD} more`);
    for (const problem of told) this.#say(`    ${problem}`);
    this.failed.push({ point, problems: told });
  }
}

/**
 * Made by an operator's word (`requeue`) or a changed cap (`unpark`), each a single call that nothing has to follow: there is no point
 * between two of them at which a crash could leave something undone.
 */
const ALONE: readonly string[] = ['requeue', 'unpark'];

/** Scripts that write and that the recording has no call of. */
function missingScripts(kinds: ReadonlySet<string>): string[] {
  const seen = new Set([...kinds].map((kind) => kind.split(':')[0]));
  return WRITING_SCRIPTS.filter((name) => !seen.has(name) && !ALONE.includes(name));
}
