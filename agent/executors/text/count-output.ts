/** What `text.count` and `text.merge` return, and how they store it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactRef, ExecutorContext } from '../../../sdk/executor/context.ts';
import { InvalidInputError } from '../../../sdk/executor/failures.ts';
import { artifactRef } from '../artifact-schema.ts';
import { histogramJson, parseHistogram, topWords, type Counts } from './word-count.ts';

const TOP = 20;

export const countOutput = z.object({
  words: z.number(),
  lines: z.number(),
  bytes: z.number(),
  /** The most frequent words, for people. */
  top: z.array(z.tuple([z.string(), z.number()])).default([]),
  /** Every word and its number: canonical JSON. */
  histogram: artifactRef,
});

export async function storeCounts(
  counts: Counts,
  { workdir, artifacts }: ExecutorContext,
): Promise<z.infer<typeof countOutput>> {
  const path = join(workdir, 'histogram.json');
  await writeFile(path, histogramJson(counts.histogram));
  const histogram = await artifacts.put(path, { name: 'histogram.json', mediaType: 'application/json' });
  const { words, lines, bytes } = counts;
  return { words, lines, bytes, top: topWords(counts.histogram, TOP), histogram };
}

export async function loadHistogram(
  reference: ArtifactRef,
  { artifacts }: ExecutorContext,
): Promise<Map<string, number>> {
  const text = await readFile(await artifacts.get(reference), 'utf8');
  try {
    return parseHistogram(text);
  } catch (error) {
    throw new InvalidInputError(`${reference.name} is no histogram: ${(error as Error).message}`);
  }
}
