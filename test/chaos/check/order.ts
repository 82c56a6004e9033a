/** Order: a step starts only after what it needs, told from the log and from the executors' own clocks. */
import type { RunLine } from '../history/lines.ts';
import type { StoredStep } from '../history/stored.ts';
import type { Rule } from './history.ts';

const DONE = 'step.succeeded step.skipped';

export const startsAfterNeeds: Rule = function* ({ stored, runs }) {
  const begun = new Map<string, number>();
  const ended = new Map<string, number>();
  for (const { op, at, jobId, run } of runs as RunLine[]) {
    if (op === 'begin') begun.set(jobId, Math.min(begun.get(jobId) ?? Number.POSITIVE_INFINITY, at));
    if (op === 'end') ended.set(run, at);
  }
  for (const { id, steps, events } of stored.workflows.values()) {
    const done = new Set<number>();
    for (const { type, step, ordinal } of events) {
      if (ordinal < 0 && DONE.includes(type)) done.add(step);
      if (type !== 'job.queued' && type !== 'step.started') continue;
      const missing = steps[step]?.needs.find((need) => !done.has(need));
      if (missing !== undefined)
        yield `${id}: ${type} of ${steps[step]?.name} before ${steps[missing]?.name} was done`;
    }
    for (const { name, needs, jobs } of steps) {
      const first = Math.min(...jobs.map((job) => begun.get(job.id) ?? Number.POSITIVE_INFINITY));
      for (const need of needs) {
        const last = lastEnd(steps[need], ended);
        if (first < last) yield `${id}: ${name} began to run before ${steps[need]?.name} had ended`;
      }
    }
  }
};

/** When the last of the runs whose results are stored came to its end. */
function lastEnd(step: StoredStep | undefined, ended: ReadonlyMap<string, number>): number {
  let last = Number.NEGATIVE_INFINITY;
  for (const { output } of step?.jobs ?? []) {
    if (output === '') continue;
    last = Math.max(last, ended.get((JSON.parse(output) as { run: string }).run) ?? last);
  }
  return last;
}
