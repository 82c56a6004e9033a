/** What the demo says in the end: sentences for people, or one JSON object. Pure. */
import { relative } from 'node:path';
import { bytes } from '../../cli/output/times.ts';
import type { WorkflowView } from '../../sdk/client/index.ts';
import { formatDuration } from '../../sdk/common/duration.ts';
import type { DemoResult } from './run.ts';

export function summaryJson(result: DemoResult, totalMs: number): string {
  return JSON.stringify({
    workflows: result.workflows.map((workflow) => ({
      id: workflow.id,
      name: workflow.name,
      status: workflow.status,
      durationMs: durationOf(workflow),
      jobs: workflow.steps.reduce((sum, { jobsSucceeded }) => sum + jobsSucceeded, 0),
      steps: workflow.steps.map(({ name, type, status, jobsTotal }) => ({
        name,
        type,
        status,
        jobs: jobsTotal,
      })),
    })),
    agents: result.jobsByAgent,
    files: result.files.map(({ path, bytes: size }) => ({ path, bytes: size })),
    sheet: { width: result.sheet.width, height: result.sheet.height },
    words: result.words,
    textEqual: result.textEqual,
    oneProcessMs: Math.round(result.oneProcessMs),
    totalMs: Math.round(totalMs),
  });
}

export function summaryText(result: DemoResult, totalMs: number, cwd: string): string[] {
  const [photo, text] = result.workflows as readonly [WorkflowView, WorkflowView];
  const jobs = Object.entries(result.jobsByAgent).map(([name, count]) => `${name} ${count}`);
  return [
    '',
    `Photo: ${jobsOf(photo, 'enlarge')} parts enlarged and put on one sheet in ${took(photo)}.`,
    `Text:  ${result.words} words counted in ${jobsOf(text, 'count')} parts in ${took(text)}.`,
    result.textEqual
      ? `       The count equals that of one process (${formatDuration(result.oneProcessMs)}), byte for byte.`
      : '       The count DIFFERS from that of one process. That is a bug.',
    `Jobs:  ${jobs.join(' · ')}`,
    '',
    ...result.files.map(
      ({ path, bytes: size, what }) => `${relative(cwd, path) || path}  (${bytes(size)}): ${what}`,
    ),
    '',
    `All of it in ${formatDuration(totalMs)}: one Redis, one coordinator, three agents, started and stopped.`,
  ];
}

function jobsOf({ steps }: WorkflowView, name: string): number {
  return steps.find((step) => step.name === name)?.jobsSucceeded ?? 0;
}

function took(workflow: WorkflowView): string {
  return formatDuration(durationOf(workflow));
}

function durationOf({ createdAt, completedAt }: WorkflowView): number {
  return createdAt === null || completedAt === null ? 0 : completedAt.getTime() - createdAt.getTime();
}
