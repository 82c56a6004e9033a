/** What both sides run, as executors with a process of their own. */
import { defineExecutor } from '../../sdk/executor/index.ts';
import { machineUs } from '../support/latency.ts';
import { mergedOf, outputOf } from '../support/payload.ts';
import type { JobInput, MergeInput } from '../support/payload.ts';
import { FAN_IN } from '../throughput/workloads.ts';

export const noopProcess = defineExecutor({
  type: 'bench.noop',
  isolation: 'process',

  run: (input) => outputOf(input as JobInput),
});

export const mergeProcess = defineExecutor({
  type: 'bench.merge',
  isolation: 'process',

  run: (input) => mergedOf(input as MergeInput, FAN_IN),
});

/** Says when it began. */
export const clockProcess = defineExecutor({
  type: 'bench.clock',
  isolation: 'process',
  run: () => ({ at: machineUs() }),
});
