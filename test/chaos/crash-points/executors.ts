/** Executors of the crash rounds: each output follows from the input, so a wrong, lost or doubled job shows. */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { FatalError, RetryableError, defineExecutor } from '../../../sdk/executor/index.ts';

const isolation = 'inline';

export const add = defineExecutor({
  type: 'crash.add',
  isolation,
  run: ({ a, b }: { a: number; b: number }) => a + b,
});

export const list = defineExecutor({
  type: 'crash.list',
  isolation,
  run: ({ n }: { n: number }) => Array.from({ length: n }, (_, i) => i),
});

export const sum = defineExecutor({
  type: 'crash.sum',
  isolation,
  run: ({ of }: { of: readonly number[] }) => of.reduce((total, item) => total + item, 0),
});

export const flaky = defineExecutor({
  type: 'crash.flaky',
  isolation,
  run: ({ n }: { n: number }, { attempt }) => {
    if (attempt === 1) throw new RetryableError('the first attempt fails');
    return n;
  },
});

export const broken = defineExecutor({
  type: 'crash.broken',
  isolation,
  run: () => {
    throw new FatalError('it never works', { reason: 'BROKEN' });
  },
});

/** Asks for one further job for each of `parts`, in two batches. */
export const spread = defineExecutor({
  type: 'crash.spread',
  isolation,
  run: async ({ n, parts }: { n: number; parts?: readonly number[] }, { emitJobs }) => {
    if (parts === undefined) return n;
    await emitJobs(parts.slice(0, 2).map((part) => ({ n: part })));
    await emitJobs(parts.slice(2).map((part) => ({ n: part })));
    return n;
  },
});

export const slow = defineExecutor({
  type: 'crash.slow',
  isolation,
  run: async ({ n, ms }: { n: number; ms: number }, { progress, signal }) => {
    progress(0.25);
    await delay(ms, undefined, { signal });
    progress(0.75);
    return n;
  },
});

/** Until it is told to stop. */
export const hold = defineExecutor({
  type: 'crash.hold',
  isolation,
  run: async (_input: unknown, { signal }) => {
    await delay(60_000, undefined, { signal });
  },
});

/** Leaves a line in a file each time it runs. */
export const once = defineExecutor({
  type: 'crash.once',
  isolation,
  run: async ({ n, file, ms }: { n: number; file: string; ms: number }) => {
    appendFileSync(file, `${n}\n`);
    await delay(ms);
    return n;
  },
});
