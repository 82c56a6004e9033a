/**
 * The jobs both sides run: JSON in, 200 bytes of JSON out, nothing done in between.
 *
 * Input and output carry the job's number, so that a result can be told from another job's.
 */

export const PAYLOAD_BYTES = 200;
/** Input of one job of a wide fan-out. */
export const ITEM_BYTES = 60;

export interface JobInput {
  readonly n: number;
  readonly prompt: string;
}

export interface JobOutput {
  readonly n: number;
  readonly answer: string;
}

/** Input of a job that takes the outputs of many. */
export interface MergeInput {
  readonly n: number;
  readonly parts: readonly JobOutput[];
}

const LETTERS = 'a quick no-op '.repeat(20);

function fill(frame: string, bytes = PAYLOAD_BYTES): string {
  return LETTERS.slice(0, bytes - frame.length);
}

export function inputOf(n: number, bytes = PAYLOAD_BYTES): JobInput {
  return { n, prompt: fill(JSON.stringify({ n, prompt: '' }), bytes) };
}

export function outputOf(input: { readonly n: number }): JobOutput {
  return { n: input.n, answer: fill(JSON.stringify({ n: input.n, answer: '' })) };
}

/** One output of many: with the flow's number, if they are `count` right ones, numbered from 0. */
export function mergedOf({ n, parts }: MergeInput, count: number): JobOutput {
  const problem = problemOfAll(parts, count);
  if (problem !== undefined) throw new Error(problem);
  return outputOf({ n });
}

/** Why this is not the result of job `n`; undefined = it is. */
export function problemOf(n: number, output: unknown): string | undefined {
  const { n: told, answer } = (output ?? {}) as Partial<JobOutput>;
  if (told !== n) return `job ${n} came back with the result of job ${String(told)}`;
  const bytes = Buffer.byteLength(JSON.stringify({ n: told, answer }));
  return bytes === PAYLOAD_BYTES ? undefined : `the result of job ${n} has ${bytes} bytes`;
}

/** Why these are not the results of `count` jobs, each with its number, in any order. */
export function problemOfAll(outputs: readonly JobOutput[], count: number): string | undefined {
  if (outputs.length !== count) return `${outputs.length} results of ${count}`;
  const seen = new Uint8Array(count);
  for (const output of outputs) {
    const problem = problemOf(output.n, output);
    if (problem !== undefined) return problem;
    if (output.n >= count || seen[output.n] === 1) return `job ${output.n} came twice, or is none of these`;
    seen[output.n] = 1;
  }
  return undefined;
}
