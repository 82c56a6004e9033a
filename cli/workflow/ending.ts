/** With which code a command that waited for a workflow ends: scripts tell failure from cancellation by it. */
import { ExitCode } from '../../runtime/exit-codes.ts';
import { WorkflowFailedError } from '../../sdk/client/index.ts';
import type { WorkflowView } from '../../sdk/client/index.ts';
import { QuietError } from '../failure.ts';
import { say } from '../io.ts';
import type { Io } from '../io.ts';

/** Throws for everything but success, after saying what went wrong. */
export function assertSucceeded(workflow: WorkflowView, io: Io): void {
  if (workflow.status === 'succeeded') return;
  say(io, `dibs: ${new WorkflowFailedError(workflow).message}`);
  const stopped = workflow.status === 'canceled' || workflow.status === 'expired';
  throw new QuietError(stopped ? ExitCode.WORKFLOW_CANCELED : ExitCode.WORKFLOW_FAILED);
}
