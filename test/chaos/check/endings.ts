/** Ends: one for each thing, the one the workflow's shape asks for, and the one consumers were told of. */
import { submissionAt } from '../workload/shapes.ts';
import type { Expected } from '../workload/shapes.ts';
import type { LoggedEvent } from '../../../coordinator/events/log-entries.ts';
import { isTerminal, stateName } from '../../../sdk/common/states.ts';
import type { StoredWorkflow } from '../history/stored.ts';
import type { Rule } from './history.ts';

const ENDS = /\.(succeeded|failed|expired|canceled|skipped)$/;

/** Exactly one terminal event for each job, step and workflow, and the record says the same. */
export const oneEndEach: Rule = function* ({ stored }) {
  for (const workflow of stored.workflows.values()) {
    const ends = new Map<string, LoggedEvent[]>();
    for (const event of workflow.events) {
      if (!ENDS.test(event.type)) continue;
      // A workflow's own events name the step that decided it.
      const thing = event.type.startsWith('workflow.') ? 'workflow' : `${event.step},${event.ordinal}`;
      ends.set(thing, [...(ends.get(thing) ?? []), event]);
    }
    for (const [thing, list] of ends) {
      if (list.length > 1)
        yield `${workflow.id} (${thing}) ended ${list.length} times: ${list.map(({ type }) => type).join(', ')}`;
    }
    if (!isTerminal(workflow.view.state)) continue;
    const missing = (thing: string, state: number): string | undefined => {
      if (!isTerminal(state))
        return `${workflow.id} (${thing}) is ${stateName(state)} in a workflow that has ended`;
      const [end] = ends.get(thing) ?? [];
      if (end === undefined) return `${workflow.id} (${thing}) ended without an event`;
      return end.state === state
        ? undefined
        : `${workflow.id} (${thing}) ended as ${end.type}, its record says ${stateName(state)}`;
    };
    const checks = [missing('workflow', workflow.view.state)];
    workflow.steps.forEach(({ view, jobs }, index) => {
      checks.push(missing(`${index},-1`, view.state));
      for (const job of jobs) checks.push(missing(`${index},${job.ordinal}`, job.state));
    });
    for (const wrong of checks) if (wrong !== undefined) yield wrong;
  }
};

/** Status and result are those the shape of the workflow asks for, unless a job stalled too often. */
export const expectedEnd = (expectedOf: (key: string) => Expected): Rule =>
  function* ({ stored }) {
    for (const workflow of stored.workflows.values()) {
      if (!isTerminal(workflow.view.state) || exhausted(workflow)) continue;
      const expected = expectedOf(workflow.requestId);
      if (workflow.status !== expected.status) {
        yield `${workflow.id} (${workflow.requestId}) ended ${workflow.status} (${workflow.view.reason}), not ${expected.status}`;
      } else if (expected.n !== undefined) {
        const output = JSON.parse(workflow.steps.at(-1)?.output || 'null') as { n?: number } | null;
        if (output?.n !== expected.n)
          yield `${workflow.id} (${workflow.requestId}) gives ${output?.n}, not ${expected.n}`;
      }
    }
  };

function exhausted(workflow: StoredWorkflow): boolean {
  return workflow.steps.some(({ jobs }) => jobs.some(({ reason }) => reason === 'RECOVERY_EXHAUSTED'));
}

/** What the workflow of a request id of this run stands for. */
export function expectationOf(key: string, weights?: Parameters<typeof submissionAt>[2]): Expected {
  const [, seed, index] = /^c(\d+)-(\d+)$/.exec(key) ?? [];
  return submissionAt(Number(seed), Number(index), weights).expected;
}

/** What a consumer was told of an end is what is stored. */
export const toldTheTruth: Rule = function* ({ consumers, stored }) {
  for (const line of consumers) {
    if (line.op !== 'end') continue;
    const workflow = stored.workflows.get(line.id);
    if (workflow !== undefined && workflow.status !== line.status)
      yield `${line.id} is ${workflow.status}; a consumer was told ${line.status}`;
  }
};
