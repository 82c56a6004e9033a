/** The no-op both sides run, as an executor with a process of its own. */
import { defineExecutor } from '../../sdk/executor/index.ts';
import { outputOf } from '../support/payload.ts';
import type { JobInput } from '../support/payload.ts';

export const noopProcess = defineExecutor({
  type: 'bench.noop',
  isolation: 'process',
  run: (input) => outputOf(input as JobInput),
});
