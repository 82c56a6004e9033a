/**
 * Jobs an agent of this coordinator holds, with what is needed to answer for them.
 *
 * After a reconnect only id and token are known (no plan, no view): such jobs complete without speculation.
 */
import type { Plan } from '../workflow/plan.ts';
import type { WorkflowView } from '../workflow/view.ts';

export interface HeldJob {
  /** `<wid>-<step>-<ordinal>` */
  readonly ref: string;
  readonly token: string;
  readonly agentId: string;
  /** It was given to an agent on trial. */
  readonly onTrial: boolean;
  readonly wid: string;
  readonly step: number;
  readonly plan: Plan | undefined;
  /** On this agent; 0 = not known. */
  readonly cost: number;
  /** The workflow as the claim left it. */
  readonly view: WorkflowView | undefined;
  /** It was claimed as one of a run. */
  readonly inRun: boolean;
  /** Server's time of the last progress that was stored, milliseconds; 0 = none. */
  progressAt: number;
  /** The same of what is fetched for it. */
  preparedAt: number;
}
