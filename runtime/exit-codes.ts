/** Exit codes of every Dibs program, and the code an error ends it with. Service managers and scripts rely on them. */
import { Code, DibsError } from '../sdk/common/errors.ts';

export const ExitCode = {
  /** Fine, or drained. */
  OK: 0,
  ERROR: 1,
  USAGE: 2,
  /** No credential, a wrong one, or one without the right. */
  AUTH: 4,
  NOT_FOUND: 5,
  CONFLICT: 6,
  /** No coordinator answered. */
  UNAVAILABLE: 7,
  WORKFLOW_FAILED: 8,
  /** The workflow was canceled or has expired. */
  WORKFLOW_CANCELED: 9,
  /** The credential was refused for good: a service manager must not restart. */
  CREDENTIAL_REFUSED: 77,
  /** The configuration is wrong: a service manager must not restart. */
  BAD_CONFIG: 78,
  TIMEOUT: 124,
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An error that says itself with which code the program ends. */
export interface HasExitCode extends Error {
  readonly exitCode: ExitCode;
}

const BY_CODE: ReadonlyMap<number, ExitCode> = new Map([
  [Code.UNAUTHENTICATED, ExitCode.AUTH],
  [Code.PERMISSION_DENIED, ExitCode.AUTH],
  [Code.NOT_FOUND, ExitCode.NOT_FOUND],
  [Code.ALREADY_EXISTS, ExitCode.CONFLICT],
  [Code.FAILED_PRECONDITION, ExitCode.CONFLICT],
  [Code.ABORTED, ExitCode.CONFLICT],
  [Code.UNAVAILABLE, ExitCode.UNAVAILABLE],
  [Code.DEADLINE_EXCEEDED, ExitCode.TIMEOUT],
]);

export function exitCodeFor(error: unknown): ExitCode {
  if (error instanceof DibsError) return BY_CODE.get(error.code) ?? ExitCode.ERROR;
  const own = (error as Partial<HasExitCode> | undefined)?.exitCode;
  return own !== undefined && Object.values(ExitCode).includes(own) ? own : ExitCode.ERROR;
}
