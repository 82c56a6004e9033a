/** Splits a text at white-space into parts whose counts add up exactly: the first half of a map and reduce. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { ArtifactRef } from '../../../sdk/executor/context.ts';
import { defineExecutor } from '../../../sdk/executor/define.ts';
import { artifactRef } from '../artifact-schema.ts';
import { findCuts, type Cut } from './split-file.ts';
import { TEXT_COST, textFile, textSource } from './text-source.ts';

export const textSplit = defineExecutor({
  type: 'text.split',
  description: 'Splits a text at white-space into parts of about the same size.',
  input: z.object({ text: textSource, parts: z.number().int().min(1).max(10_000) }),
  output: z.object({ chunks: z.array(artifactRef), count: z.number() }),
  deterministic: true,
  cost: TEXT_COST,
  async run({ text, parts }, context) {
    const { signal, workdir, artifacts, progress } = context;
    const path = await textFile(text, context);
    const cuts = await findCuts(path, parts);
    const digits = String(cuts.length - 1).length;
    const chunks: ArtifactRef[] = [];
    for (const [index, cut] of cuts.entries()) {
      const name = `part-${String(index).padStart(digits, '0')}.txt`;
      const part = join(workdir, name);
      await copyRange(path, cut, part, signal);
      chunks.push(await artifacts.put(part, { name, mediaType: 'text/plain' }));
      await rm(part);
      progress((index + 1) / cuts.length, `part ${index + 1} of ${cuts.length}`);
    }
    return { chunks, count: chunks.length };
  },
});

async function copyRange(
  path: string,
  { from, to }: Cut,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  // createReadStream's end is inclusive, so it cannot say "nothing".
  const source = from === to ? [] : createReadStream(path, { start: from, end: to - 1 });
  await pipeline(source, createWriteStream(target), { signal });
}
