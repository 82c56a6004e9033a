/**
 * Every error the client throws.
 *
 * `DibsError`: a coordinator refused a call, or none was reached (`reason`, `problems`, gRPC `code`).
 * The classes here: the call went well and the answer is bad news.
 */
import { Code, DibsError } from '../common/errors.ts';
import type { StateName } from '../common/states.ts';
import type { WorkflowView } from './views.ts';

export { Code, DibsError } from '../common/errors.ts';
export type { Problem } from '../common/errors.ts';

/** A workflow that was waited for ended other than succeeded. */
export class WorkflowFailedError extends Error {
  readonly workflow: WorkflowView;
  readonly status: StateName;
  /** Stable UPPER_SNAKE code, `STEP_FAILED` for example. */
  readonly reason: string;
  /** The step that decided it; null when none did (canceled, timed out). */
  readonly failedStep: string | null;

  constructor(workflow: WorkflowView) {
    super(failureSentence(workflow));
    this.name = 'WorkflowFailedError';
    this.workflow = workflow;
    this.status = workflow.status;
    this.reason = workflow.reason ?? workflow.status.toUpperCase();
    this.failedStep = workflow.failedStep;
  }
}

/** Waiting took longer than the caller allowed; the workflow goes on. */
export class WaitTimeoutError extends Error {
  readonly workflowId: string;

  constructor(workflowId: string, timeoutMs: number) {
    super(`${workflowId} has not ended within ${timeoutMs} ms. It goes on; only the waiting stopped.`);
    this.name = 'WaitTimeoutError';
    this.workflowId = workflowId;
  }
}

/** The bytes that arrived are not those that were asked for. */
export class ArtifactCorruptError extends Error {
  readonly expected: string;
  readonly actual: string;

  constructor(expected: string, actual: string) {
    super(`The artifact's bytes hash to ${actual}, not to ${expected}.`);
    this.name = 'ArtifactCorruptError';
    this.expected = expected;
    this.actual = actual;
  }
}

/** True for errors after which the same call, if idempotent, may succeed: nobody answered. */
export function isUnavailable(error: unknown): error is DibsError {
  return error instanceof DibsError && error.code === Code.UNAVAILABLE;
}

/** A lost stream is tried again unless the coordinator said that a repeat cannot help. */
export function mayReconnect(error: DibsError): boolean {
  return RECONNECT.has(error.code);
}

// INTERNAL and CANCELLED are what grpc-js makes of some broken connections (RST_STREAM without a status).
const RECONNECT: ReadonlySet<number> = new Set([
  Code.OK,
  Code.UNAVAILABLE,
  Code.INTERNAL,
  Code.UNKNOWN,
  Code.CANCELLED,
  Code.ABORTED,
  Code.DEADLINE_EXCEEDED,
]);

function failureSentence(workflow: WorkflowView): string {
  const step =
    workflow.failedStep === null
      ? undefined
      : workflow.steps.find(({ name }) => name === workflow.failedStep);
  const at = workflow.failedStep === null ? '' : ` at step "${workflow.failedStep}"`;
  const why = step?.message ?? workflow.message ?? workflow.reason ?? 'no reason was given';
  const code = step?.reason ?? workflow.reason;
  return `Workflow ${workflow.id} ${workflow.status}${at}: ${code !== null && why !== code ? `${code}: ` : ''}${why}`;
}
