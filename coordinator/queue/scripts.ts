/**
 * Loads the Lua scripts and calls them by hash.
 *
 * Invariants:
 * 1. A script is one file of `lua/` plus the libraries its `-- use:` line names, behind the constants of `records.ts`.
 * 2. Every script is idempotent, so a call whose reply was lost may be made again (the caller decides).
 * 3. A server that lost its script cache answers NOSCRIPT; the call is then made with the source.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, Redis } from 'ioredis';
import { pack, unpack, unpackSequence } from './codec.ts';
import { SCRIPT_NAMES } from './gen/scripts.ts';
import type { ScriptName, Scripts } from './gen/scripts.ts';
import type { Cell } from './keys.ts';
import { keys } from './keys.ts';
import { recordsPrelude } from './records.ts';

const folder = join(import.meta.dirname, 'lua');

interface Script {
  readonly source: string;
  readonly sha: string;
  readonly sequence: boolean;
}

/** Full source of one script. The `#!lua` line stays first. */
export function scriptSource(name: string): string {
  const text = readFileSync(join(folder, `${name}.lua`), 'utf8');
  const newline = text.indexOf('\n');
  const uses = /^-- use: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  const libraries = uses.map((use) => readFileSync(join(folder, 'lib', `${use}.lua`), 'utf8'));
  return [text.slice(0, newline), recordsPrelude(), ...libraries, text.slice(newline + 1)].join('\n');
}

function loadAll(): ReadonlyMap<ScriptName, Script> {
  return new Map(
    SCRIPT_NAMES.map((name) => {
      const source = scriptSource(name);
      return [name, { source, sha: hash('sha1', source, 'hex'), sequence: source.includes('\n-- returns: sequence') }];
    }),
  );
}

export class ScriptRunner {
  readonly #redis: Redis | Cluster;
  readonly #scripts = loadAll();

  constructor(redis: Redis | Cluster) {
    this.#redis = redis;
  }

  /** Calls a script on a cell. `blobs` become ARGV[2], ARGV[3], … */
  async call<N extends ScriptName>(
    name: N,
    cell: Cell,
    args: Scripts[N]['args'],
    blobs: readonly Buffer[] = [],
  ): Promise<Scripts[N]['returns']> {
    const script = this.#scripts.get(name) as Script;
    const argv = [pack(args), ...blobs];
    let reply: unknown;
    try {
      reply = await this.#redis.callBuffer('EVALSHA', [script.sha, '1', keys.meta(cell), ...argv]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      reply = await this.#redis.callBuffer('EVAL', [script.source, '1', keys.meta(cell), ...argv]);
    }
    if (!Buffer.isBuffer(reply)) return reply as Scripts[N]['returns'];
    return (script.sequence ? unpackSequence(reply) : unpack(reply)) as Scripts[N]['returns'];
  }
}
