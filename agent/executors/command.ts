/**
 * Runs a program with arguments (no shell) and returns its exit code, output and files.
 *
 * Off unless the owner of the box enables it: whoever submits a job of this type runs what they like there.
 */
import { z } from 'zod';
import { defineExecutor } from '../../sdk/executor/define.ts';
import { FatalError, InvalidInputError, ResourceError, RetryableError } from '../../sdk/executor/failures.ts';
import { artifactRef } from './artifact-schema.ts';
import { collectFiles, placeFiles } from './command-files.ts';
import { runProgram, type ProgramEnd } from './command-run.ts';

const TAIL_BYTES = 16 * 1024;
/** With parseJson all of stdout is needed; it becomes the output, which has about this limit. */
const JSON_BYTES = 1024 * 1024;

const input = z.object({
  /** Program and arguments. */
  argv: z.array(z.string()).min(1),
  /** Text for its standard input. */
  stdin: z.string().optional(),
  /** Or a JSON value for it. */
  json: z.json().optional(),
  /** Artifacts placed in its folder, by path. */
  files: z.record(z.string(), artifactRef).default({}),
  /** Paths or glob patterns of files that become artifacts. */
  outputs: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  /** Its standard output is one JSON value. */
  parseJson: z.boolean().default(false),
  /** Exit codes that count as success. */
  allowExitCodes: z.array(z.number().int()).default([0]),
});

const output = z.object({
  exitCode: z.number(),
  stdout: z.string(),
  stderr: z.string(),
  json: z.json().optional(),
  artifacts: z.array(artifactRef),
});

export const command = defineExecutor({
  type: 'command',
  description: 'Runs a program with arguments (no shell); returns exit code, output and files.',
  input,
  output,
  async run(job, { signal, workdir, artifacts }) {
    if (job.stdin !== undefined && job.json !== undefined)
      throw new InvalidInputError('give stdin or json, not both');
    await placeFiles(job.files, workdir, artifacts);
    const end = await runProgram({
      argv: job.argv as [string, ...string[]],
      folder: workdir,
      env: job.env,
      stdin: job.json === undefined ? (job.stdin ?? '') : JSON.stringify(job.json),
      keepBytes: job.parseJson ? JSON_BYTES : TAIL_BYTES,
      signal,
    });
    const exitCode = allowedCode(end, job.allowExitCodes);
    return {
      exitCode,
      stdout: job.parseJson ? '' : end.stdout.text,
      stderr: end.stderr.text.slice(-TAIL_BYTES),
      ...(job.parseJson ? { json: parsed(end) } : {}),
      artifacts: await collectFiles(job.outputs, workdir, artifacts),
    };
  },
});

function allowedCode(end: ProgramEnd, allowed: readonly number[]): number {
  if (end.code !== null && allowed.includes(end.code)) return end.code;
  const words = end.stderr.text.trim().slice(-1000);
  const how = end.code === null ? `was ended by ${end.signal}` : `exited with code ${end.code}`;
  const message = `the command ${how}${words === '' ? '' : `: ${words}`}`;
  if (end.code === 137 || end.signal === 'SIGKILL')
    throw new ResourceError(message, { reason: 'OUT_OF_MEMORY' });
  throw new RetryableError(message);
}

function parsed(end: ProgramEnd): z.infer<ReturnType<typeof z.json>> {
  if (end.stdout.cut)
    throw new FatalError(`stdout has more than ${JSON_BYTES} bytes`, { reason: 'OUTPUT_TOO_LARGE' });
  try {
    return JSON.parse(end.stdout.text) as z.infer<ReturnType<typeof z.json>>;
  } catch (error) {
    throw new RetryableError(`stdout is not JSON: ${(error as Error).message}`);
  }
}
