/** A text input is an artifact or a string in place; executors read both as a file. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ExecutorContext } from '../../../sdk/executor/context.ts';
import { artifactRef } from '../artifact-schema.ts';

export const textSource = z.union([artifactRef, z.string()]);

/** For cost: megabytes of the text, at least a little. */
export const TEXT_COST = 'max(0.01, (input.text.size ?? length(input.text)) / 1e6)';

export async function textFile(text: z.infer<typeof textSource>, context: ExecutorContext): Promise<string> {
  if (typeof text !== 'string') return context.artifacts.get(text);
  const path = join(context.workdir, 'input.txt');
  await writeFile(path, text);
  return path;
}
