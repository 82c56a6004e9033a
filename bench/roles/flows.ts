/** The workflows of each rate scenario, as a consumer submits them, and what their results must be. */
import { ref } from '../../sdk/client/index.ts';
import type { WorkflowInput, readResult } from '../../sdk/client/index.ts';
import { ITEM_BYTES, inputOf, outputOf, problemOfAll } from '../support/payload.ts';
import type { JobOutput } from '../support/payload.ts';
import { FAN_IN, FAN_OUT } from '../throughput/workloads.ts';
import type { WorkloadName } from '../throughput/workloads.ts';

const items = Array.from({ length: FAN_OUT }, (_, n) => ({ ...inputOf(n, ITEM_BYTES) }));
const noop = 'bench.noop';

export function workflowOf(workload: WorkloadName, n: number): WorkflowInput {
  switch (workload) {
    case 'throughput':
      return { steps: [{ type: noop, input: { ...inputOf(n) } }] };
    case 'fanout':
      return { steps: [{ type: noop, forEach: { items, as: 'job' }, input: ref('job') }] };
    case 'chain3':
      return {
        steps: [
          { type: noop, name: 'a', input: { ...inputOf(n) } },
          { type: noop, name: 'b', input: { n: ref('a', 'output.n'), prompt: ref('a', 'output.answer') } },
          { type: noop, name: 'c', input: { n: ref('b', 'output.n'), prompt: ref('b', 'output.answer') } },
        ],
      };
    case 'fan10':
      return {
        steps: [
          {
            type: noop,
            name: 'parts',
            forEach: { items: items.slice(0, FAN_IN), as: 'job' },
            input: ref('job'),
          },
          { type: 'bench.merge', name: 'all', input: { n, parts: ref('parts', 'output.items') } },
        ],
      };
  }
}

/** The output with the flow's number; of a wide fan-out all are looked at. */
export function outputOfFlow(
  workload: WorkloadName,
  n: number,
  { steps }: ReturnType<typeof readResult>,
): unknown {
  const output = steps.at(-1)?.output;
  if (workload !== 'fanout') return output;
  const problem = problemOfAll((output as unknown as { items: JobOutput[] }).items, FAN_OUT);
  if (problem !== undefined) throw new Error(problem);
  return outputOf({ n });
}
