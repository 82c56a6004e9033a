/**
 * Submit, wait and take the output, in one call.
 *
 * The rule: `submitAndGetOutput` gives the output of the last step of `steps` (or of the one `step` names), because the
 * last step is where the author of a workflow puts its product; `submitAndGetOutputs` gives all, by step name.
 */
import type { Json } from '../common/json.ts';
import type { Connection } from './connection.ts';
import { WorkflowFailedError } from './errors.ts';
import type { StepView, WorkflowView } from './views.ts';
import { submitWorkflow, waitForWorkflow } from './workflow-calls.ts';
import type { SubmitOptions, WaitOptions } from './workflow-calls.ts';
import type { WorkflowInput } from './workflow-input.ts';

export interface OutputOptions extends WaitOptions {
  readonly requestId?: string;
  /** Step whose output is wanted; default the last one. */
  readonly step?: string;
}

/** Throws WorkflowFailedError when it ends other than succeeded. Null for a step that was skipped. */
export async function submitAndGetOutput(
  connection: Connection,
  input: WorkflowInput,
  options: OutputOptions = {},
): Promise<Json> {
  const { steps } = await submitAndSucceed(connection, input, options);
  const step = options.step === undefined ? steps.at(-1) : named(steps, options.step);
  return step?.output ?? null;
}

/** The same for every step, by name. */
export async function submitAndGetOutputs(
  connection: Connection,
  input: WorkflowInput,
  options: Omit<OutputOptions, 'step'> = {},
): Promise<Record<string, Json>> {
  const { steps } = await submitAndSucceed(connection, input, options);
  return Object.fromEntries(steps.map(({ name, output }) => [name, output]));
}

async function submitAndSucceed(
  connection: Connection,
  input: WorkflowInput,
  { requestId, step: _step, timeoutMs, ...waiting }: OutputOptions,
): Promise<WorkflowView> {
  const startedAt = Date.now();
  const submitting: SubmitOptions = {
    ...(requestId === undefined ? {} : { requestId }),
    ...(waiting.signal === undefined ? {} : { signal: waiting.signal }),
  };
  const { workflow: submitted } = await submitWorkflow(connection, input, submitting);
  const left =
    timeoutMs === undefined ? {} : { timeoutMs: Math.max(0, timeoutMs - (Date.now() - startedAt)) };
  const workflow = await waitForWorkflow(connection, submitted.id, { ...waiting, ...left });
  if (workflow.status !== 'succeeded') throw new WorkflowFailedError(workflow);
  return workflow;
}

function named(steps: readonly StepView[], name: string): StepView {
  const step = steps.find((candidate) => candidate.name === name);
  if (step === undefined)
    throw new TypeError(`The workflow has no step "${name}"; it has ${steps.map((s) => s.name).join(', ')}.`);
  return step;
}
