/**
 * What a failed command says and with which code it ends.
 *
 * The codes are those of `runtime/exit-codes.ts`. Every problem of a refused workflow is a line of its own, with its
 * path first, so that an editor can jump to it.
 */
import { CommanderError } from 'commander';
import { ExitCode, exitCodeFor } from '../runtime/exit-codes.ts';
import { Code, DibsError, WaitTimeoutError } from '../sdk/client/index.ts';
import { InterruptedError, say } from './io.ts';
import type { Io } from './io.ts';

/** The command line, or a file it names, is wrong. */
export class UsageError extends Error {
  readonly exitCode = ExitCode.USAGE;
}

/** What was asked for is not there. */
export class NotFoundError extends Error {
  readonly exitCode = ExitCode.NOT_FOUND;
}

/** The time given with --timeout is over. */
export class TimeUpError extends Error {
  readonly exitCode = ExitCode.TIMEOUT;
}

/** Something went wrong that has been said already. */
export class QuietError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Says why, and gives the exit code. */
export function explain(error: unknown, io: Io): ExitCode {
  // Commander has printed help, version or the mistake itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  if (error instanceof QuietError) return error.exitCode;
  if (error instanceof InterruptedError) return ExitCode.INTERRUPTED;
  for (const line of describe(error)) say(io, line);
  return codeOf(error);
}

function codeOf(error: unknown): ExitCode {
  if (error instanceof WaitTimeoutError) return ExitCode.TIMEOUT;
  return exitCodeFor(error);
}

function describe(error: unknown): string[] {
  if (!(error instanceof DibsError))
    return [`dibs: ${error instanceof Error ? error.message : String(error)}`];
  const { message, problems, reason, metadata } = error;
  const lines = problems.map((problem) => `${problem.path}: ${problem.reason}: ${problem.message}`);
  const omitted = metadata['omitted_problems'];
  if (omitted !== undefined) lines.push(`… and ${omitted} more`);
  if (reason === 'UNAVAILABLE')
    lines.push(`dibs: No coordinator could be reached: ${withoutWrapping(message)}`);
  else lines.push(`dibs: ${message}${message.includes(reason) ? '' : ` (${reason})`}`);
  if (error.code === Code.UNAVAILABLE) lines.push('Is a coordinator running? "dibs dev" starts one.');
  if (error.code === Code.UNAUTHENTICATED)
    lines.push('Set DIBS_TOKEN_FILE (or DIBS_TOKEN), or use --token-file.');
  return lines;
}

/** grpc-js wraps what the system said in two sentences about itself. */
function withoutWrapping(message: string): string {
  return /Last error: (?:Error: )?(.+?)\.? Resolution note/.exec(message)?.[1] ?? message;
}
