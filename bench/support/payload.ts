/**
 * The job both sides run: 200 bytes of JSON in, 200 bytes of JSON out, nothing done in between.
 *
 * Input and output carry the job's number, so that a result can be told from another job's.
 */

export const PAYLOAD_BYTES = 200;

export interface JobInput {
  readonly n: number;
  readonly prompt: string;
}

export interface JobOutput {
  readonly n: number;
  readonly answer: string;
}

const LETTERS = 'a quick no-op '.repeat(20);

function fill(frame: string): string {
  return LETTERS.slice(0, PAYLOAD_BYTES - frame.length);
}

export function inputOf(n: number): JobInput {
  return { n, prompt: fill(JSON.stringify({ n, prompt: '' })) };
}

export function outputOf(input: JobInput): JobOutput {
  return { n: input.n, answer: fill(JSON.stringify({ n: input.n, answer: '' })) };
}

/** Why this is not the result of job `n`; undefined = it is. */
export function problemOf(n: number, output: unknown): string | undefined {
  const { n: told, answer } = (output ?? {}) as Partial<JobOutput>;
  if (told !== n) return `job ${n} came back with the result of job ${String(told)}`;
  const bytes = Buffer.byteLength(JSON.stringify({ n: told, answer }));
  return bytes === PAYLOAD_BYTES ? undefined : `the result of job ${n} has ${bytes} bytes`;
}
