/** Adds up counts of parts: the result equals that of counting the whole text in one process. */
import { z } from 'zod';
import { defineExecutor } from '../../../sdk/executor/define.ts';
import { countOutput, loadHistogram, storeCounts } from './count-output.ts';
import { CountSum } from './word-count.ts';

export const textMerge = defineExecutor({
  type: 'text.merge',
  description: 'Adds up the outputs of text.count.',
  input: z.object({ parts: z.array(countOutput) }),
  output: countOutput,
  deterministic: true,
  cost: 'max(0.01, length(input.parts) / 100)',
  async run({ parts }, context) {
    const sum = new CountSum();
    for (const [index, part] of parts.entries()) {
      context.signal.throwIfAborted();
      sum.add({ ...part, histogram: await loadHistogram(part.histogram, context) });
      context.progress((index + 1) / parts.length);
    }
    return storeCounts(sum.finish(), context);
  },
});
