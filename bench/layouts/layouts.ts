// The layouts compared: which scripts, and whether records lie in bucket hashes, in 16 hashes or in one hash per cell.
import { readFile } from 'node:fs/promises';
import type { Redis } from 'ioredis';

export const COMMANDS = ['submit', 'claim', 'complete', 'emit'] as const;
export type Command = (typeof COMMANDS)[number];

export interface Layout {
  name: string;
  about: string;
  scripts: 'a' | 'b' | 'c' | 'c2' | 'cs' | 'c2s';
  store: 'bucket' | 'group' | 'flat';
  /** Whether submit sends the input twice: in the plan and for the job's record. */
  jobHoldsInput?: true;
}

export const LAYOUTS: Layout[] = [
  { name: 'A', about: 'HASH + event LIST per workflow', scripts: 'a', store: 'bucket' },
  { name: 'B', about: 'one packed record, buckets of ~100', scripts: 'b', store: 'bucket' },
  { name: 'B-flat', about: 'one packed record, one hash', scripts: 'b', store: 'flat' },
  {
    name: 'C',
    about: 'head + plan + job, buckets of ~100',
    scripts: 'c',
    store: 'bucket',
    jobHoldsInput: true,
  },
  { name: 'C-flat', about: 'head + plan + job, one hash', scripts: 'c', store: 'flat', jobHoldsInput: true },
  { name: 'C2', about: 'head with job + plan, buckets of ~100', scripts: 'c2', store: 'bucket' },
  { name: 'C2-flat', about: 'head with job + plan, one hash', scripts: 'c2', store: 'flat' },
  {
    name: 'CS-flat',
    about: 'C-flat, struct front + opaque tail',
    scripts: 'cs',
    store: 'flat',
    jobHoldsInput: true,
  },
  { name: 'C2S-flat', about: 'C2-flat, struct front + opaque tail', scripts: 'c2s', store: 'flat' },
  { name: 'C2S-16', about: 'C2S in 16 hashes per cell', scripts: 'c2s', store: 'group' },
  { name: 'C2S', about: 'C2S, buckets of ~100', scripts: 'c2s', store: 'bucket' },
];

const here = (file: string): URL => new URL(file, import.meta.url);

/** Loads a layout's scripts and returns their digests. */
export async function load(redis: Redis, layout: Layout): Promise<Record<Command, string>> {
  const prelude = await readFile(here('common.lua'), 'utf8');
  const store = await readFile(here(`store-${layout.store}.lua`), 'utf8');
  const digests: Partial<Record<Command, string>> = {};
  for (const command of COMMANDS) {
    const family = command === 'emit' && layout.scripts.startsWith('c') ? 'c' : layout.scripts;
    const body = await readFile(here(`${family}-${command}.lua`), 'utf8');
    digests[command] = (await redis.script('LOAD', prelude + store + body)) as string;
  }
  return digests as Record<Command, string>;
}
