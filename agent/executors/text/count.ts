/** Counts words, lines and bytes of a text, with the number of every word. */
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { defineExecutor } from '../../../sdk/executor/define.ts';
import { countOutput, storeCounts } from './count-output.ts';
import { TEXT_COST, textFile, textSource } from './text-source.ts';
import { countFile } from './word-count.ts';

export const textCount = defineExecutor({
  type: 'text.count',
  description: 'Counts words, lines and bytes of a text, with the number of every word.',
  input: z.object({ text: textSource }),
  output: countOutput,
  deterministic: true,
  cost: TEXT_COST,
  async run({ text }, context) {
    const path = await textFile(text, context);
    const { size } = await stat(path);
    let read = 0;
    const counts = await countFile(path, (bytes) => {
      context.signal.throwIfAborted();
      read += bytes;
      context.progress(read / size);
    });
    return storeCounts(counts, context);
  },
});
