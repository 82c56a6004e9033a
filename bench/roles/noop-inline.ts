/** What both sides run, as executors inside the agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineExecutor } from '../../sdk/executor/index.ts';
import { machineUs } from '../support/latency.ts';
import { mergedOf, outputOf } from '../support/payload.ts';
import type { JobInput, MergeInput } from '../support/payload.ts';
import { FAN_IN } from '../throughput/workloads.ts';

export const noopInline = defineExecutor({
  type: 'bench.noop',
  isolation: 'inline',
  concurrency: 64,
  run: (input) => outputOf(input as JobInput),
});

export const mergeInline = defineExecutor({
  type: 'bench.merge',
  isolation: 'inline',
  concurrency: 64,
  run: (input) => mergedOf(input as MergeInput, FAN_IN),
});

/** Says when it began. */
export const clockInline = defineExecutor({
  type: 'bench.clock',
  isolation: 'inline',
  run: () => ({ at: machineUs() }),
});

/** Takes as long as it is told. */
export const sleepInline = defineExecutor({
  type: 'bench.sleep',
  isolation: 'inline',
  concurrency: 200,
  run: async (input) => {
    await sleep((input as { readonly ms: number }).ms);
    return {};
  },
});
