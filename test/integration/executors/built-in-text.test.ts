/** text.split → text.count × N → text.merge gives what one process counts, byte for byte. */
import fc from 'fast-check';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import { findCuts } from '../../../agent/executors/text/split-file.ts';
import { countText, histogramJson } from '../../../agent/executors/text/word-count.ts';
import type { ArtifactReference } from '../../../agent/jobs/contract.ts';
import { openBench, type Bench } from './harness.ts';

let bench: Bench;
beforeAll(async () => {
  const types = ['text.split', 'text.count', 'text.merge'];
  bench = await openBench(types.map((type) => BUILT_IN_EXECUTORS[type]?.module ?? ''));
});
afterAll(() => bench[Symbol.asyncDispose]());

interface Counted {
  readonly words: number;
  readonly top: readonly [string, number][];
  readonly histogram: ArtifactReference;
}

const output = async <T = Counted>(type: string, input: unknown): Promise<T> => {
  const result = await bench.run(type, input).done;
  expect(result).toMatchObject({ verdict: 'succeeded', message: '' });
  return JSON.parse(result.outputJson) as T;
};
const bytesOf = async (reference: ArtifactReference): Promise<Buffer> =>
  readFile(await bench.artifacts.fetch(reference));

async function storeText(text: string | Buffer): Promise<ArtifactReference> {
  const path = join(bench.folder, 'whole.txt');
  await writeFile(path, text);
  return bench.artifacts.store(path, { mediaType: 'text/plain' });
}

interface Split {
  readonly chunks: readonly ArtifactReference[];
  readonly count: number;
}

async function splitCountMerge(
  text: string | ArtifactReference,
  parts: number,
): Promise<{ chunks: Split['chunks']; merged: Counted }> {
  const { chunks, count } = await output<Split>('text.split', { text, parts });
  expect(count).toBe(chunks.length);
  const counts = await Promise.all(chunks.map((chunk) => output('text.count', { text: chunk })));
  return { chunks, merged: await output('text.merge', { parts: counts }) };
}

async function expectSame(merged: Counted, text: string | Buffer): Promise<void> {
  const { words, lines, bytes, histogram } = countText(text);
  expect(merged).toMatchObject({ words, lines, bytes });
  expect((await bytesOf(merged.histogram)).toString()).toBe(histogramJson(histogram));
}

const someText = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '\n', '  ', 'the', 'cat', 'grün', '__proto__', '10'),
      fc.string({ unit: 'binary' }),
    ),
    { maxLength: 60 },
  )
  .map((words) => words.join(' ').replaceAll(/[\uD800-\uDFFF]/gu, '?'));

describe('split, count, merge', () => {
  it('equals one process, through real executors', async () => {
    await fc.assert(
      fc.asyncProperty(someText, fc.integer({ min: 1, max: 9 }), async (text, parts) => {
        const { chunks, merged } = await splitCountMerge(await storeText(text), parts);
        expect(chunks.length).toBeLessThanOrEqual(parts);
        expect(Buffer.concat(await Promise.all(chunks.map(bytesOf))).equals(Buffer.from(text))).toBe(true);
        await expectSame(merged, text);
      }),
      { numRuns: 25 },
    );
  });

  it('splits a larger text evenly', async () => {
    const line = 'It was the best of times, it was the worst of times, “grün” and blue.\n';
    const text = line.repeat(40_000);
    const whole = await storeText(text);
    const { chunks, merged } = await splitCountMerge(whole, 8);
    const sizes = chunks.map((chunk) => chunk.size);
    expect(sizes).toHaveLength(8);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(50);
    await expectSame(merged, text);
    expect(merged.top.slice(0, 5).map(([word]) => word)).toEqual(['of', 'the', 'times,', 'was', 'It']);
    const direct = await output('text.count', { text: whole });
    expect(direct).toEqual(merged);
  });

  it('takes text in place, and bytes that are no UTF-8', async () => {
    const { merged } = await splitCountMerge('a b a', 2);
    await expectSame(merged, 'a b a');
    const bytes = Buffer.from([0x61, 0xff, 0x20, 0xfe, 0xc3, 0x0a, 0x61, 0xff]);
    const stored = await storeText(bytes);
    const parts = await splitCountMerge(stored, 3);
    expect(parts.chunks).toHaveLength(3);
    await expectSame(parts.merged, bytes);
  });

  it('of nothing is nothing', async () => {
    const { chunks, merged } = await splitCountMerge('', 4);
    expect(chunks).toHaveLength(1);
    await expectSame(merged, '');
    expect(await output('text.merge', { parts: [] })).toMatchObject({ words: 0, lines: 0, bytes: 0 });
  });
});

it('cuts lie after white-space, join to the file, and are never empty', async () => {
  const path = join(bench.folder, 'cut.txt');
  await fc.assert(
    fc.asyncProperty(someText, fc.integer({ min: 1, max: 20 }), async (text, parts) => {
      await writeFile(path, text);
      const bytes = Buffer.from(text);
      const cuts = await findCuts(path, parts);
      expect(cuts[0]?.from).toBe(0);
      expect(cuts.at(-1)?.to).toBe(bytes.length);
      for (const [index, { from, to }] of cuts.entries()) {
        if (index > 0) {
          expect(from).toBe(cuts[index - 1]?.to);
          expect(' \t\n\v\f\r').toContain(String.fromCharCode(bytes[from - 1] ?? 0));
        }
        if (bytes.length > 0) expect(to).toBeGreaterThan(from);
      }
    }),
  );
});

it('a word longer than the buffer stays whole', async () => {
  const path = join(bench.folder, 'long.txt');
  await writeFile(path, `a ${'x'.repeat(200_000)} b`);
  expect(await findCuts(path, 4)).toEqual([
    { from: 0, to: 200_003 },
    { from: 200_003, to: 200_004 },
  ]);
});
