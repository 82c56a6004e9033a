/** The no-op both sides run, as an inline executor. */
import { defineExecutor } from '../../sdk/executor/index.ts';
import { outputOf } from '../support/payload.ts';
import type { JobInput } from '../support/payload.ts';

export const noopInline = defineExecutor({
  type: 'bench.noop',
  isolation: 'inline',
  concurrency: 64,
  run: (input) => outputOf(input as JobInput),
});
