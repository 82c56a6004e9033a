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
import { luaConstants, recordsPrelude } from './records.ts';

const folder = join(import.meta.dirname, 'lua');
const constants = luaConstants();

/** What `-- use: cell` stands for, in this order. */
export const CELL = ['cell', 'held', 'steps', 'solo', 'run', 'load', 'flush'] as const;

interface Script {
  readonly source: string;
  readonly sha: string;
  readonly sequence: boolean;
}

/** Full source of one script. The `#!lua` line stays first. `patch` sees every file as it was written. */
export function scriptSource(name: string, patch: (text: string) => string = (text) => text): string {
  const text = readFileSync(join(folder, `${name}.lua`), 'utf8');
  const newline = text.indexOf('\n');
  const uses = /^-- use: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  return linkSource(text.slice(0, newline), uses, patch(text.slice(newline + 1)), patch);
}

/** A script of this shebang and body behind the libraries it uses: constants put in, functions without a use left out. */
export function linkSource(
  shebang: string,
  uses: readonly string[],
  body: string,
  patch: (text: string) => string = (text) => text,
): string {
  const libraries = uses
    .flatMap((use) => (use === 'cell' ? CELL : [use]))
    .map((use) => patch(readFileSync(join(folder, 'lib', `${use}.lua`), 'utf8')));
  const [own = '', ...files] = makeLazy([body, ...libraries]);
  return [shebang, withConstants(dropUnused([recordsPrelude(), ...files].join('\n'), own))].join('\n');
}

/**
 * Functions between `-- lazy: <name>` and `-- end lazy` are made when the first of them is called, all in one function of that name:
 * to make a function takes 0.6 µs of every call, and most calls meet no run.
 */
function makeLazy(files: readonly string[]): string[] {
  const homes = new Map<string, string>();
  const wrapped = files.map((file) =>
    file.replaceAll(/^-- lazy: (\w+)\n([^]*?)^-- end lazy\n/gm, (_, home: string, inside: string) => {
      const names = [...inside.matchAll(/^local function (\w+)/gm)].map((match) => match[1] as string);
      for (const name of names) homes.set(name, home);
      const body = inside.replaceAll(/^(?=.)/gm, '  ');
      const table = names.map((name) => `${name} = ${name}`).join(', ');
      return (
        `local ${home}_made = nil\nlocal function ${home}()\n  if ${home}_made then return ${home}_made end\n` +
        `${body}  ${home}_made = {${table}}\n  return ${home}_made\nend\n`
      );
    }),
  );
  const callsFrom = (own: string | undefined, text: string): string =>
    text.replaceAll(/\b(\w+)\(/g, (call, name: string) => {
      const home = homes.get(name);
      return home === undefined || home === own ? call : `${home}().${name}(`;
    });
  const aHome = /^local function (\w+)\(\)\n {2}if \1_made[^]*?^end\n/gm;
  return wrapped.map((file) => {
    let linked = '';
    let at = 0;
    for (const match of file.matchAll(aHome)) {
      linked += callsFrom(undefined, file.slice(at, match.index)) + callsFrom(match[1], match[0]);
      at = match.index + match[0].length;
    }
    return linked + callsFrom(undefined, file.slice(at));
  });
}

/**
 * Puts numbers where a script names positions and codes. As tables they cost 2.5 µs a call to build, and every use a look-up.
 */
function withConstants(source: string): string {
  return source.replaceAll(
    /\b(?:(?:H|S|J|Q|K|R|L|ST)\.\w+|EV\['[^']*'\]|STEPS_PER_CHUNK|STEP_FRONT|SOLO_MARK|RUN_JOBS|INLINE_EVENT_BYTES|BAND_SHIFT)/g,
    (name) => {
      const value = constants.get(name);
      if (value === undefined) throw new Error(`No constant ${name} in records.ts.`);
      return String(value);
    },
  );
}

/** Leaves out the library functions that no code refers to: each costs a closure per call. */
function dropUnused(libraries: string, body: string): string {
  const lines = libraries.replaceAll(/^ *--.*\n/gm, '');
  let source = `${lines}\n${body}`;
  for (let dropped = true; dropped;) {
    dropped = false;
    for (const [text, name] of lines.matchAll(/^local function (\w+)(?:.* end\n|[^]*?^end\n)/gm)) {
      if (!source.includes(text) || countOf(source, name) > countOf(text, name)) continue;
      source = source.replace(text, () => '');
      dropped = true;
    }
  }
  return source;
}

function countOf(source: string, name: string | undefined): number {
  const code = source.replaceAll(/--.*$/gm, '');
  return code.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0;
}

function loadAll(): ReadonlyMap<ScriptName, Script> {
  return new Map(
    SCRIPT_NAMES.map((name) => {
      const source = scriptSource(name);
      return [
        name,
        { source, sha: hash('sha1', source, 'hex'), sequence: source.includes('\n-- returns: sequence') },
      ];
    }),
  );
}

/** Makes one call of a script on a cell and gives the raw reply. */
export type Send = (command: 'EVALSHA' | 'EVAL', args: (string | Buffer)[], cell: Cell) => Promise<unknown>;

/** A script was answered; milliseconds from sending it. */
export type Timed = (name: ScriptName, ms: number) => void;

export class ScriptRunner {
  readonly #send: Send;
  readonly #timed: Timed | undefined;
  readonly #scripts = loadAll();

  constructor(
    redis: Redis | Cluster,
    send: Send = (command, args) => redis.callBuffer(command, args),
    timed?: Timed,
  ) {
    this.#send = send;
    this.#timed = timed;
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
    const sentAt = this.#timed === undefined ? 0 : performance.now();
    let reply: unknown;
    try {
      reply = await this.#send('EVALSHA', [script.sha, '1', keys.meta(cell), ...argv], cell);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      reply = await this.#send('EVAL', [script.source, '1', keys.meta(cell), ...argv], cell);
    }
    this.#timed?.(name, performance.now() - sentAt);
    return readReply(reply, script.sequence) as Scripts[N]['returns'];
  }
}

/** A number, one msgpack value, or the pieces of a msgpack sequence. */
export function readReply(reply: unknown, sequence: boolean): unknown {
  if (Array.isArray(reply)) return unpackSequence(Buffer.concat(reply as Buffer[]));
  if (!Buffer.isBuffer(reply)) return reply;
  return sequence ? unpackSequence(reply) : unpack(reply);
}
