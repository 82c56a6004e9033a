/** Returns its input: for examples, health checks and measuring what Dibs itself costs. */
import { defineExecutor } from '../../sdk/executor/define.ts';

export const valueEcho = defineExecutor({
  type: 'value.echo',
  description: 'Returns its input.',
  isolation: 'inline',
  deterministic: true,
  cost: 1,
  run: (input) => input,
});
