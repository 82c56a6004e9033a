/**
 * Generates the types of the Lua scripts' calls from their header comments.
 *
 * A header has `-- args:` (a TypeScript tuple) and `-- returns:` (a type, or `sequence of …` for a msgpack sequence).
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Generator } from './registry.ts';

const HEADER = ['purpose', 'keys', 'args', 'returns', 'edges', 'emits', 'idempotent', 'use'] as const;

export const luaGenerator: Generator = {
  name: 'lua',
  owns: ['coordinator/queue/gen/'],
  async generate(root) {
    const folder = join(root, 'coordinator/queue/lua');
    const files = (await readdir(folder)).filter((file) => file.endsWith('.lua')).toSorted();
    const entries: string[] = [];
    const types = new Set<string>();
    for (const file of files) {
      const text = await readFile(join(folder, file), 'utf8');
      const header = new Map<string, string>();
      for (const match of text.matchAll(/^-- (\w+): (.*)$/gm)) {
        if (!header.has(match[1] as string)) header.set(match[1] as string, match[2] as string);
      }
      const missing = HEADER.filter((field) => !header.has(field));
      if (missing.length > 0) throw new Error(`${file}: the header lacks ${missing.join(', ')}`);
      const args = header.get('args') as string;
      const said = header.get('returns') as string;
      const returns = said.startsWith('sequence') ? 'unknown[]' : said.replace(/ \(.*\)$/, '');
      for (const match of `${args} ${returns}`.matchAll(/\b[A-Z]\w+\b/g)) types.add(match[0]);
      const name = file.replace(/\.lua$/, '');
      entries.push(`  /** ${header.get('purpose')}. */\n  ${name}: { args: ${args}; returns: ${returns} };`);
    }
    const names = files.map((file) => `  '${file.replace(/\.lua$/, '')}',`);
    const source = [
      '// Generated from the headers of coordinator/queue/lua/*.lua by `npm run gen`. Do not edit.',
      `import type {\n${[...types]
        .toSorted()
        .map((type) => `  ${type},`)
        .join('\n')}\n} from '../items.ts';`,
      '',
      'export interface Scripts {',
      ...entries,
      '}',
      '',
      'export type ScriptName = keyof Scripts;',
      '',
      'export const SCRIPT_NAMES: readonly ScriptName[] = [',
      ...names,
      '];',
      '',
    ].join('\n');
    return new Map([['coordinator/queue/gen/scripts.ts', source]]);
  },
};
