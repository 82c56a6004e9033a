/**
 * The output of a step, from the outputs of its jobs.
 *
 * One slot: the job's own output. A fan-out (or a step whose job emitted further ones): `{"items": [...]}` in slot
 * order. A slot's output is that of its successful attempt.
 */
import { State } from '../../sdk/common/states.ts';
import { combineOutputs } from './refs.ts';

/** The part of a job record this needs. */
export interface JobOutput {
  readonly state: number;
  readonly slot: number;
  readonly output: string;
}

/** JSON text. `fanOut` = the step is declared as one, so even a single slot is a list. */
export function stepOutput(jobs: readonly (JobOutput | undefined)[], total: number, fanOut: boolean): string {
  const slots: string[] = Array.from({ length: total }, () => 'null');
  for (const job of jobs) {
    if (job !== undefined && job.state === State.succeeded && job.slot < total) slots[job.slot] = job.output;
  }
  return total === 1 && !fanOut ? (slots[0] as string) : combineOutputs(slots);
}
