/**
 * Drives one executor through one job, in whichever process it lives:
 * parse → check input → run (or iterate) → check output → serialise.
 *
 * Siblings: `child.ts` calls this in a process of its own, `inline-pool.ts` in the agent.
 *
 * Invariants:
 * 1. Never throws, never rejects: every end is an Outcome.
 * 2. Returns an Outcome, not a promise, as long as nothing on the way is asynchronous.
 * 3. A generator is left at its next yield once the signal is aborted (its `finally` blocks run), and gives the
 *    event loop a turn every BREATH_MS, so that the abort can arrive at all.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { parseJson } from '../../sdk/common/json.ts';
import type { Executor, Yielded } from '../../sdk/executor/define.ts';
import { checkerFor, type Checked, type Checker } from '../../sdk/executor/schema.ts';
import type { JobContext } from './job-context.ts';
import { failed, failedByThrow, succeeded, type Outcome } from './verdicts.ts';

const BREATH_MS = 10;

/** An executor with its schemas compiled. */
export interface LoadedExecutor {
  readonly executor: Executor;
  readonly checkInput: Checker;
  readonly checkOutput: Checker;
}

export function load(executor: Executor): LoadedExecutor {
  return { executor, checkInput: checkerFor(executor.input), checkOutput: checkerFor(executor.output) };
}

export function drive(
  loaded: LoadedExecutor,
  inputJson: string,
  context: JobContext,
  maxOutputBytes: number,
): Outcome | Promise<Outcome> {
  try {
    const parsed = parseJson(inputJson === '' ? 'null' : inputJson);
    if (!parsed.ok) return failed('fatal', 'INVALID_INPUT', `the input is not JSON: ${parsed.message}`);
    const outcome = after(loaded.checkInput(parsed.value), (input) => {
      if (!input.ok) return failed('fatal', 'INVALID_INPUT', input.message);
      return after(result(loaded, input, context), (output) =>
        after(loaded.checkOutput(output), (checked) => serialise(checked, maxOutputBytes)),
      );
    });
    return isThenable(outcome) ? Promise.resolve(outcome).catch(ended) : outcome;
  } catch (error) {
    return ended(error);
  }
}

function result(loaded: LoadedExecutor, input: Checked & { ok: true }, context: JobContext): unknown {
  const returned = loaded.executor.run(input.value, context);
  return isIterator(returned) ? iterate(returned, context) : returned;
}

async function iterate(
  steps: Iterator<unknown> | AsyncIterator<unknown>,
  context: JobContext,
): Promise<unknown> {
  let breathedAt = performance.now();
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
    takeYield(step.value, context);
    if (performance.now() - breathedAt > BREATH_MS) {
      await turn();
      breathedAt = performance.now();
    }
    if (context.aborted) {
      await steps.return?.(undefined);
      throw context.signal.reason;
    }
  }
}

function takeYield(value: unknown, context: JobContext): void {
  if (typeof value === 'string') return context.emit(value);
  const progress = (value as Partial<Exclude<Yielded, string>> | null | undefined)?.progress;
  if (typeof progress !== 'number')
    throw new ContractBroken('run may yield text or { progress }, nothing else');
  context.progress(progress, (value as { message?: string }).message);
}

class ContractBroken extends Error {}

function ended(error: unknown): Outcome {
  return error instanceof ContractBroken
    ? failed('fatal', 'EXECUTOR_CONTRACT', error.message)
    : failedByThrow(error);
}

function serialise(output: Checked, maxBytes: number): Outcome {
  if (!output.ok)
    return failed('fatal', 'EXECUTOR_CONTRACT', `the output does not fit its schema: ${output.message}`);
  let json: string | undefined;
  try {
    json = output.value === undefined ? 'null' : JSON.stringify(output.value);
  } catch (error) {
    return failed(
      'fatal',
      'EXECUTOR_CONTRACT',
      `the output cannot be written as JSON: ${(error as Error).message}`,
    );
  }
  if (json === undefined) {
    return failed(
      'fatal',
      'EXECUTOR_CONTRACT',
      `the output cannot be written as JSON: it is a ${typeof output.value}`,
    );
  }
  // Three bytes is the most UTF-8 needs for one UTF-16 unit: short outputs are never measured.
  if (json.length * 3 > maxBytes) {
    const bytes = Buffer.byteLength(json);
    if (bytes > maxBytes) {
      const message = `the output has ${bytes} bytes, at most ${maxBytes} are allowed; return large data as artifacts`;
      return failed('fatal', 'OUTPUT_TOO_LARGE', message);
    }
  }
  return succeeded(json);
}

function after<T, R>(value: T | PromiseLike<T>, next: (value: T) => R): R | Promise<Awaited<R>> {
  return isThenable(value) ? (Promise.resolve(value).then(next) as Promise<Awaited<R>>) : next(value as T);
}

function isThenable(value: unknown): value is PromiseLike<never> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** A generator object. Lists and strings are iterable but no iterators: they are outputs. */
function isIterator(value: unknown): value is Iterator<unknown> | AsyncIterator<unknown> {
  if (typeof value !== 'object' || value === null || typeof (value as { next?: unknown }).next !== 'function')
    return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}
