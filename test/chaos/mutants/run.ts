/**
 * Whether the harness would catch us: every planted bug must end in a violation, and the trouble it is looked for in must
 * end in none without it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChaos } from '../run/chaos.ts';
import { BUGS, TROUBLES } from './bugs.ts';
import type { Bug, Trouble } from './bugs.ts';
import { plant } from './plant.ts';

export interface MutantsOptions {
  readonly say: (line: string) => void;
  readonly json: boolean;
  readonly signal: AbortSignal;
  /** Only bugs whose name contains this. */
  readonly only?: string | undefined;
}

/** Seeds a bug is looked for with, before it counts as missed. */
const SEEDS = 6;
/** Time for everything to end once the trouble is over. */
const SETTLE_MS = 12_000;

interface Outcome {
  readonly bug: string;
  readonly caught: boolean;
  /** The first violation. */
  readonly by: string;
  readonly seed: number;
}

export async function runMutants({ say, json, signal, only = '' }: MutantsOptions): Promise<boolean> {
  const bugs = BUGS.filter(({ name }) => name.includes(only));
  const troubles = [...new Set(bugs.map(({ trouble }) => trouble))];
  let clean = true;
  for (const trouble of troubles) {
    const by = await violationIn(TROUBLES[trouble], 1, undefined, signal);
    say(`as it is, ${trouble}: ${by ?? 'clean'}`);
    clean &&= by === undefined;
  }
  const outcomes: Outcome[] = [];
  for (const bug of bugs) {
    if (signal.aborted) break;
    const outcome = await hunt(bug, signal);
    outcomes.push(outcome);
    say(
      `${outcome.caught ? 'caught' : 'MISSED'}: ${bug.name} (${bug.trouble}, seed ${outcome.seed}): ${outcome.by}`,
    );
  }
  const caught = outcomes.filter((outcome) => outcome.caught).length;
  if (json) console.log(JSON.stringify({ bugs: bugs.length, caught, clean, outcomes }));
  else
    console.log(
      `${caught} of ${bugs.length} planted bugs caught; without them ${clean ? 'clean' : 'NOT clean'}`,
    );
  return clean && caught === bugs.length;
}

async function hunt(bug: Bug, signal: AbortSignal): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-bug-'));
  try {
    await plant(folder, bug);
    for (let seed = 1; seed <= SEEDS && !signal.aborted; seed++) {
      const by = await violationIn(TROUBLES[bug.trouble], seed, folder, signal);
      if (by !== undefined) return { bug: bug.name, caught: true, by, seed };
    }
    return { bug: bug.name, caught: false, by: '', seed: SEEDS };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first violation of a run; undefined when it is clean. */
async function violationIn(
  trouble: Trouble,
  seed: number,
  root: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-chaos-'));
  try {
    const { faults, seconds, ...more } = trouble;
    const { violations } = await runChaos({
      seed,
      seconds,
      folder,
      faults: new Set(faults),
      settleMs: SETTLE_MS,
      signal,
      ...(root === undefined ? {} : { root }),
      ...more,
    });
    const [first] = violations;
    return first === undefined ? undefined : `${first.rule}: ${first.what.split('\n')[0]}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
