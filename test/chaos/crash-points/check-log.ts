/** Whether one workflow's log can be true. Pure. */
import type { LoggedEvent } from '../../../coordinator/events/log-entries.ts';
import { isTerminalEvent } from '../../../sdk/common/events.ts';

/** What a job's record says of it. */
export interface LoggedJob {
  readonly step: number;
  readonly ordinal: number;
  readonly claims: number;
}

const ENDS = /\.(succeeded|failed|expired|canceled|skipped)$/;

export function logProblems(
  events: readonly LoggedEvent[],
  steps: number,
  jobs: readonly LoggedJob[],
): string[] {
  const problems: string[] = [];
  const gap = events.findIndex(({ sequence }, index) => sequence !== index + 1);
  if (gap >= 0) problems.push(`event ${gap + 1} has the sequence number ${events[gap]?.sequence}`);
  const ends = events.filter(({ type }) => isTerminalEvent(type)).length;
  if (ends !== 1) problems.push(`it has ${ends} terminal events`);
  else if (!isTerminalEvent(events.at(-1)?.type ?? ''))
    problems.push('something comes after its terminal event');
  for (let step = 0; step < steps; step++) {
    const own = events.filter((event) => event.step === step && event.type.startsWith('step.'));
    problems.push(...endProblems(`step ${step}`, own));
  }
  for (const { step, ordinal, claims } of jobs) {
    const name = `job ${step}-${ordinal}`;
    const own = events.filter((event) => event.step === step && event.ordinal === ordinal);
    problems.push(...endProblems(name, own));
    const count = (...types: string[]): number => own.filter(({ type }) => types.includes(type)).length;
    const claimed = count('job.claimed');
    if (claimed !== claims) problems.push(`${name} counts ${claims} claims, its log ${claimed}`);
    // Releases hold those of offers that ran out.
    const allowed = 1 + count('job.released', 'job.recovered');
    if (claimed > allowed)
      problems.push(`${name} was claimed ${claimed} times and came back ${allowed - 1} times`);
  }
  return problems;
}

function endProblems(name: string, events: readonly LoggedEvent[]): string[] {
  const ends = events.filter(({ type }) => ENDS.test(type));
  if (ends.length !== 1) return [`${name} has ${ends.length} terminal events`];
  // A job that was replaced says so after its end.
  const last = events.findLast(({ type }) => type !== 'job.replaced');
  return last === ends[0] ? [] : [`${name}: ${last?.type} comes after its end`];
}
