/** The smallest executor: greets whom the input names. */
import { defineExecutor } from 'dibs/sdk/executor';
import { z } from 'zod';

export const hello = defineExecutor({
  type: 'hello',
  input: z.object({ name: z.string().min(1) }),
  output: z.object({ greeting: z.string() }),
  deterministic: true,
  async run({ name }, { progress }) {
    progress(0.5, `thinking of ${name}`);
    return { greeting: `Hello, ${name}!` };
  },
});
