/**
 * The executors of the chaos agents. Each execution is told in the agent's run log, and its output says who ran it.
 *
 * Invariant: `n` of an output is a function of the input alone, so a lost, doubled or foreign result shows in the sum.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { FatalError, RetryableError, defineExecutor } from '../../../sdk/executor/index.ts';
import type { Executor, ExecutorContext } from '../../../sdk/executor/index.ts';
import type { RunLine } from '../history/lines.ts';

export interface ExecutorsOf {
  /** Name of the agent they run on. */
  readonly agent: string;
  /** Its run log. */
  readonly log: string;
}

interface Addition {
  readonly n: number;
  readonly plus: number;
  readonly ms?: number;
}

interface Output {
  readonly n: number;
  /** Names this execution in the run log. */
  readonly run: string;
  readonly agent: string;
}

type Body<Input> = (input: Input, context: ExecutorContext) => Promise<number> | number;

export function chaosExecutors({ agent, log }: ExecutorsOf): Record<string, Executor> {
  const note = (line: RunLine): void => appendFileSync(log, `${JSON.stringify(line)}\n`);
  const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

  /** Tells begin and end of every execution. */
  async function run<Input>(body: Body<Input>, input: Input, context: ExecutorContext): Promise<Output> {
    const id = randomUUID();
    const about = { run: id, agent, jobId: context.jobId, attempt: context.attempt };
    note({ op: 'begin', at: now(), ...about });
    try {
      const n = await body(input, context);
      note({ op: 'end', at: now(), ...about });
      return { n, run: id, agent };
    } catch (error) {
      note({ op: 'broken', at: now(), ...about });
      throw error;
    }
  }

  const add: Body<Addition> = async ({ n, plus, ms = 0 }, { signal }) => {
    if (ms > 0) await pause(ms, undefined, { signal });
    return n + plus;
  };
  const define = <Input>(type: string, isolation: 'inline' | 'process', body: Body<Input>): Executor =>
    defineExecutor({
      type,
      isolation,
      concurrency: isolation === 'inline' ? 32 : 2,
      run: (input, context) => run(body, input as Input, context),
    });

  return {
    add: define('chaos.add', 'inline', add),
    work: define('chaos.work', 'process', add),
    parts: defineExecutor({
      type: 'chaos.parts',
      isolation: 'inline',
      run: async (input, context) => {
        const { count } = input as { count: number };
        const made = await run(() => count, input, context);
        return { ...made, parts: Array.from({ length: count }, (_, index) => index) };
      },
    }),
    sum: define<{ items: { n: number }[] }>('chaos.sum', 'inline', ({ items }) =>
      items.reduce((sum, { n }) => sum + n, 0),
    ),
    flaky: define<{ n: number; fails: number }>('chaos.flaky', 'inline', ({ n, fails }, { attempt }) => {
      if (attempt <= fails) throw new RetryableError(`attempt ${attempt} fails`);
      return n;
    }),
    fatal: define('chaos.fatal', 'inline', () => {
      throw new FatalError('it always fails');
    }),
    grow: define<{ n: number; more?: number }>('chaos.grow', 'inline', async ({ n, more = 0 }, context) => {
      if (more > 0) await context.emitJobs(Array.from({ length: more }, () => ({ n: 1 })));
      return n;
    }),
    slow: define<Required<Addition>>('chaos.slow', 'process', async ({ n, plus, ms }, context) => {
      for (let part = 1; part <= 4; part++) {
        await pause(ms / 4, undefined, { signal: context.signal });
        context.progress(part / 5, `part ${part}`);
      }
      return n + plus;
    }),
    hold: define('chaos.hold', 'inline', async (_, { signal }) => {
      await pause(3_600_000, undefined, { signal });
      return 0;
    }),
  };
}

/** Source of a module with the executors of one agent, made by this file in the tree it lies in (`path`). */
export function executorModule(path: string, about: ExecutorsOf): string {
  return `import { chaosExecutors } from ${JSON.stringify(path)};
export const { add, work, parts, sum, flaky, fatal, grow, slow, hold } = chaosExecutors(${JSON.stringify(about)});
`;
}
