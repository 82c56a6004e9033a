/** The Lua sources: complete headers, the right flags, nothing Redis or a restart would trip over. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SCRIPT_NAMES } from '../../../coordinator/queue/gen/scripts.ts';
import { scriptSource } from '../../../coordinator/queue/scripts.ts';
import { EVENT_TYPES } from '../../../sdk/common/events.ts';

const folder = join(import.meta.dirname, '../../../coordinator/queue/lua');
const lua = (file: string): string => readFileSync(join(folder, `${file}.lua`), 'utf8');
const libraries = readdirSync(join(folder, 'lib')).map((file) => `lib/${file.replace(/\.lua$/, '')}`);

/** New work is refused when memory is short; everything that drains it is not. */
const TAKES_MEMORY = ['emit', 'submit'];
/** What no script is without, by library. */
const FIRST_STATEMENT: Readonly<Record<string, string>> = {
  cell: 'local P = ',
  queue: 'local fair, fair_dirty',
  facts: 'local TERMINAL_EVENT = ',
};
const HEADER = ['purpose', 'keys', 'args', 'returns', 'edges', 'emits', 'idempotent', 'use'];

test('there is a type for every script, and a script for every type', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.lua'));
  expect(files.map((file) => file.replace(/\.lua$/, '')).toSorted()).toEqual([...SCRIPT_NAMES].toSorted());
});

describe.each([...SCRIPT_NAMES])('%s', (name) => {
  const text = lua(name);
  const lines = text.split('\n');

  test('begins as a script of Redis 7, with the flag where it must work on a full server', () => {
    expect(lines[0]).toBe(TAKES_MEMORY.includes(name) ? '#!lua' : '#!lua flags=allow-oom');
  });

  test('has a complete header', () => {
    const header = lines.slice(1, 1 + lines.slice(1).findIndex((line) => !line.startsWith('--')));
    const said = header
      .map((line) => /^-- (\w+): \S/.exec(line)?.[1])
      .filter((field) => HEADER.includes(field ?? ''));
    expect(said).toEqual(HEADER);
  });

  test('is put together with its shebang first and what it uses before itself', () => {
    const source = scriptSource(name);
    const uses = (/^-- use: (.*)$/m.exec(text)?.[1] ?? '').split(' ');
    expect(uses[0]).toBe('cell');
    const order = ['cell', 'queue', 'facts', 'decision'];
    expect(uses).toEqual(order.filter((library) => uses.includes(library)));
    expect(source.split('\n')[0]).toBe(lines[0]);
    // The libraries in their order, and what they define before the body.
    const places = uses
      .flatMap((library) => FIRST_STATEMENT[library] ?? [])
      .map((statement) => source.indexOf(statement));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual(places.toSorted((x, y) => x - y));
    // Numbers stand where names stood, and no function is there for nothing.
    const code = source.replaceAll(/--.*$/gm, '');
    expect(code).not.toMatch(
      /\b(H|S|J|ST)\.\w|\bEV\[|\b(STEPS_PER_CHUNK|STEP_FRONT|INLINE_EVENT_BYTES|BAND_SHIFT)\b/,
    );
    for (const [, defined] of code.matchAll(/^local function (\w+)/gm)) {
      if (code.match(new RegExp(`\\b${defined}\\b`, 'g'))?.length === 1)
        throw new Error(`Nothing uses ${defined}.`);
    }
  });

  test('emits only events there are', () => {
    const uses = (/^-- use: (.*)$/m.exec(text)?.[1] ?? '').split(' ');
    const all = [text, ...uses.map((library) => lua(`lib/${library}`))].join('\n');
    const used = [...all.matchAll(/EV\['([^']+)'\]/g)].map((match) => match[1] as string);
    expect(used.filter((type) => !(EVENT_TYPES as readonly string[]).includes(type))).toEqual([]);
  });
});

describe.each([...SCRIPT_NAMES, ...libraries])('%s', (file) => {
  // Comments may name what code must not.
  const code = lua(file).replaceAll(/--.*$/gm, '');

  test('takes no chance and no time of its own', () => {
    expect(code).not.toMatch(/\bmath\.random/);
    expect(code).not.toMatch(/\bos\.(time|clock|date)/);
    if (file !== 'lib/cell') expect(code).not.toMatch(/'TIME'/);
  });

  test('never turns a large number to text the short way', () => {
    expect(code).not.toMatch(/\btostring\s*\(/);
  });

  test('names every key by the prefix of its cell', () => {
    for (const [, , key] of code.matchAll(/\bcall\('([A-Z]+)',\s*([^,)]+)/g)) {
      if (key === undefined) continue;
      expect(key.trim()).toMatch(
        /^(KEYS\[1\]|P \.\. '|key$|bucket\(|order\[i\]$|w\.key$|run\.key$|unpack\(waited_for$|(OFFERS|LEASES|TIMERS|TODO)$)/,
      );
    }
  });
});
