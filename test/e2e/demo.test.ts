/** `npm run demo`, as its users run it: real processes, real files, nothing left. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, startedBy } from '../support/processes.ts';
import { startProc } from '../support/proc.ts';
import type { Proc } from '../support/proc.ts';
import { until } from '../support/until.ts';

interface Summary {
  readonly workflows: readonly {
    id: string;
    name: string;
    status: string;
    durationMs: number;
    jobs: number;
  }[];
  readonly agents: Readonly<Record<string, number>>;
  readonly files: readonly { path: string; bytes: number }[];
  readonly textEqual: boolean;
  readonly words: number;
}

describe('the demo', () => {
  let folder: string;

  beforeEach(async () => {
    // Short, because a socket lies below it.
    folder = await mkdtemp(join(tmpdir(), 'dd-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Its temporary files go to a folder that must be empty in the end. */
  async function demo(...args: string[]): Promise<Proc> {
    const temporary = await mkdtemp(join(folder, 't'));
    return startProc('scripts/demo.ts', {
      args: ['--out', join(folder, 'out'), ...args],
      env: { TMPDIR: temporary },
    });
  }

  /** Node's own cache of compiled modules may stay. */
  async function leftovers(): Promise<string[]> {
    const entries = await readdir(folder, { recursive: true });
    return entries.filter(
      (name) => name.startsWith('t') && name.includes('/') && !name.includes('node-compile-cache'),
    );
  }

  it('enlarges a photo and counts a text on three agents, and says so in one object', async () => {
    const proc = await demo('-o', 'json');
    const summary = await proc.json<Summary>(() => true, { timeoutMs: 90_000 });
    await proc.exitsWith(0);
    expect(proc.output.trimEnd().split('\n').at(-1)).toBe(JSON.stringify(summary));
    expect(summary.workflows).toMatchObject([
      { name: 'photo', status: 'succeeded', jobs: 9 },
      { name: 'text', status: 'succeeded', jobs: 10 },
    ]);
    expect(summary.textEqual).toBe(true);
    expect(summary.words).toBeGreaterThan(900_000);
    expect(Object.keys(summary.agents).sort()).toEqual(['cpu-1', 'cpu-2', 'gpu-like']);
    expect(summary.agents['cpu-2']).toBe(10);
    expect((summary.agents['cpu-1'] ?? 0) + (summary.agents['gpu-like'] ?? 0)).toBe(9);
    for (const { path, bytes } of summary.files) expect((await readFile(path)).length).toBe(bytes);
    const sheet = await sharp(join(folder, 'out/contact-sheet.png')).metadata();
    expect([sheet.format, sheet.width]).toEqual(['png', 4 * 480 + 5 * 6]);
    expect(await leftovers()).toEqual([]);
  });

  it("takes the user's own files", async () => {
    const image = join(folder, 'own.png');
    const text = join(folder, 'own.txt');
    await sharp({ create: { width: 80, height: 40, channels: 3, background: '#336699' } }).toFile(image);
    await writeFile(text, 'to be or not to be\n'.repeat(100));
    const proc = await demo('--image', image, '--text', text, '--factor', '2', '--parts', '3');
    await proc.exitsWith(0, 60_000);
    expect(proc.output).toContain('600 words counted in 3 parts');
    expect(proc.output).toContain('equals that of one process');
    expect(JSON.parse(await readFile(join(folder, 'out/word-count.json'), 'utf8'))).toEqual({
      be: 200,
      not: 100,
      or: 100,
      to: 200,
    });
    expect((await readdir(join(folder, 'out'))).sort()).toEqual(['contact-sheet.png', 'word-count.json']);
    expect(await leftovers()).toEqual([]);
  });

  it.each([
    [['--image', '/nowhere/photo.jpg'], 'There is no file /nowhere/photo.jpg.'],
    [['--image', import.meta.filename], 'is not an image that can be read'],
    [['--text', import.meta.dirname], 'is not a file.'],
    [['--factor', '99'], 'It is no whole number from 2 to 8.'],
  ])('refuses %j before it starts anything', async (args, sentence) => {
    const proc = await demo(...args);
    await proc.exitsWith(2);
    expect(proc.output).toContain(sentence);
    expect(proc.output).not.toContain('Starting');
    expect(await leftovers()).toEqual([]);
  });

  it.each([
    ['while it starts', /^Starting /],
    ['while jobs run', /^photo enlarge: processing/],
  ])('leaves nothing behind when interrupted %s', async (_when, line) => {
    const proc = await demo();
    await proc.line(line, { timeoutMs: 60_000 });
    proc.signal('SIGINT');
    await proc.exitsWith(130, 30_000);
    expect(await leftovers()).toEqual([]);
  });

  it('leaves no process behind when it is killed', async () => {
    const proc = await demo();
    await proc.line(/^photo enlarge: processing/, { timeoutMs: 60_000 });
    const children = startedBy(proc.pid, '').map(({ pid }) => pid);
    expect(children.length).toBeGreaterThan(5);
    await proc.kill();
    // They see their lifeline cut.
    await until('its processes to end', () => !children.some(isAlive));
  });
});
