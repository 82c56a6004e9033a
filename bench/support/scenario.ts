/** What scenarios of one figure share: options, a folder of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { withCleanup } from './cleanup.ts';
import type { Cleanup } from './cleanup.ts';

export interface ScenarioOptions {
  readonly json: boolean;
  readonly jobs: number;
  readonly rounds: number;
  /** Jobs before the first round. */
  readonly warmUp: number;
}

/** Undefined after a mistake, which is said on standard error. */
export function readOptions(
  scenario: string,
  argv: readonly string[],
  defaults: { readonly jobs: string; readonly rounds: string; readonly 'warm-up': string },
): ScenarioOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        output: { type: 'string', short: 'o', default: 'table' },
        jobs: { type: 'string', default: defaults.jobs },
        rounds: { type: 'string', default: defaults.rounds },
        'warm-up': { type: 'string', default: defaults['warm-up'] },
      },
    });
    return {
      json: values.output === 'json',
      jobs: whole('jobs', values.jobs),
      rounds: whole('rounds', values.rounds),
      warmUp: whole('warm-up', values['warm-up']),
    };
  } catch (error) {
    const known = Object.entries(defaults).map(([name, value]) => `  --${name} N   default ${value}`);
    process.stderr.write(
      `${(error as Error).message}\n\ndibs bench ${scenario}\n  -o json\n${known.join('\n')}\n`,
    );
    return undefined;
  }
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`--${name} must be a whole number from 1`);
  return value;
}

export function withFolder<T>(body: (folder: string, cleanup: Cleanup) => Promise<T>): Promise<T> {
  return withCleanup(async (cleanup) => {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-bench-'));
    cleanup.add(() => rm(folder, { recursive: true, force: true }));
    return body(folder, cleanup);
  });
}
