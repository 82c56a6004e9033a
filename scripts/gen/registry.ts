/**
 * The list of code generators. A new one is a file beside this one and a line in `GENERATORS`.
 *
 * A generator is pure in effect: it reads sources and returns file contents. `scripts/gen.ts` alone writes
 * (or, with `--check`, compares), so every generator gets stale-file removal and the check for free.
 */
import { luaGenerator } from './lua.ts';
import { protoGenerator } from './proto.ts';

export interface Generator {
  /** Short name for progress lines. */
  readonly name: string;
  /**
   * What it owns, relative to the root: folders (ending in `/`) or single files. Anything found there that
   * `generate` does not return is stale and removed.
   */
  readonly owns: readonly string[];
  /** Path relative to the root → content. Must be deterministic: no times, no absolute paths. */
  generate(root: string): Promise<ReadonlyMap<string, string>>;
}

export const GENERATORS: readonly Generator[] = [protoGenerator, luaGenerator];
