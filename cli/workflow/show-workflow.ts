/** A workflow, its steps and jobs as text for people. */
import type { JobView, StepView, WorkflowView } from '../../sdk/client/index.ts';
import { formatDuration } from '../../sdk/common/duration.ts';
import type { Paint } from '../output/paint.ts';
import { paintStatus } from '../output/paint.ts';
import { renderFields, renderTable, safe } from '../output/table.ts';
import type { Column } from '../output/table.ts';
import { age, span } from '../output/times.ts';

export interface ShowOptions {
  readonly now: number;
  readonly paint: Paint;
  readonly wide: boolean;
}

export function workflowColumns({ now, paint }: Omit<ShowOptions, 'wide'>): Column<WorkflowView>[] {
  return [
    { title: 'ID', value: ({ id }) => id },
    { title: 'NAME', value: ({ name }) => safe(name) || '-' },
    { title: 'STATUS', value: ({ status }) => paintStatus(paint, status) },
    { title: 'STEPS', value: ({ counts }) => `${counts.succeeded}/${counts.total}`, align: 'right' },
    { title: 'AGE', value: ({ createdAt }) => age(createdAt, now), align: 'right' },
    {
      title: 'TIME',
      value: ({ startedAt, completedAt }) => span(startedAt, completedAt, now),
      align: 'right',
    },
    { title: 'REASON', value: (workflow) => reasonOf(workflow) || '-', wide: true },
    { title: 'TAGS', value: ({ tags }) => safe(tags.join(',')) || '-', wide: true },
    { title: 'CREATED', value: ({ createdAt }) => createdAt?.toISOString() ?? '-', wide: true },
  ];
}

/** Everything about one workflow; with `wide`, its jobs too. */
export function showWorkflow(workflow: WorkflowView, options: ShowOptions): string[] {
  const { now, paint, wide } = options;
  const fields: [string, string][] = [
    ['id', workflow.id],
    ...(workflow.name === '' ? [] : [['name', safe(workflow.name)] as [string, string]]),
    ['status', `${paintStatus(paint, workflow.status)}${workflow.partial ? ' (partial)' : ''}`],
  ];
  const reason = reasonOf(workflow);
  if (reason !== '') fields.push(['reason', reason]);
  if (workflow.unrunnable)
    fields.push([
      'runnable',
      `false: ${safe(workflow.unrunnableReason ?? 'a job waits that no connected agent can run')}`,
    ]);
  fields.push(['created', workflow.createdAt?.toISOString() ?? '-']);
  fields.push(['time', span(workflow.startedAt, workflow.completedAt, now)]);
  if (workflow.doneIn !== null)
    fields.push(['done in', `about ${formatDuration(Math.round(workflow.doneIn.p50Ms / 100) * 100)}`]);
  if (workflow.tags.length > 0) fields.push(['tags', safe(workflow.tags.join(', '))]);
  const lines = [...renderFields(fields), '', ...renderTable(stepColumns(options), workflow.steps, wide)];
  const jobs = workflow.steps.flatMap((step) => step.jobs.map((job) => ({ step, job })));
  if (wide && jobs.length > 0) lines.push('', ...renderTable(jobColumns(options), jobs));
  return lines;
}

function stepColumns({ now, paint }: ShowOptions): Column<StepView>[] {
  return [
    { title: 'STEP', value: ({ name }) => safe(name) },
    { title: 'TYPE', value: ({ type }) => safe(type) },
    { title: 'STATUS', value: ({ status }) => paintStatus(paint, status) },
    {
      title: 'JOBS',
      value: ({ jobsSucceeded, jobsTotal }) => (jobsTotal === 0 ? '-' : `${jobsSucceeded}/${jobsTotal}`),
      align: 'right',
    },
    {
      title: 'PROGRESS',
      value: ({ progress }) => (progress === null ? '-' : `${Math.floor(progress * 100)}%`),
      align: 'right',
    },
    {
      title: 'TIME',
      value: ({ startedAt, completedAt }) => span(startedAt, completedAt, now),
      align: 'right',
    },
    { title: 'AFTER', value: ({ dependsOn }) => safe(dependsOn.join(',')) || '-', wide: true },
    { title: 'REASON', value: (step) => reasonOf(step) },
  ];
}

function jobColumns({ now, paint }: ShowOptions): Column<{ step: StepView; job: JobView }>[] {
  return [
    { title: 'JOB', value: ({ job }) => job.id },
    { title: 'STEP', value: ({ step }) => safe(step.name) },
    { title: 'STATUS', value: ({ job }) => paintStatus(paint, job.status) },
    { title: 'ATTEMPT', value: ({ job }) => String(job.attempt), align: 'right' },
    { title: 'AGENT', value: ({ job }) => job.agentId ?? '-' },
    { title: 'TIME', value: ({ job }) => span(job.startedAt, job.completedAt, now), align: 'right' },
    {
      title: 'POSITION',
      value: ({ job }) => (job.queuePosition === null ? '-' : String(job.queuePosition)),
      align: 'right',
    },
    { title: 'REASON', value: ({ job }) => reasonOf(job) },
  ];
}

function reasonOf({
  reason,
  message,
  failedStep = null,
}: {
  reason: string | null;
  message: string | null;
  failedStep?: string | null;
}): string {
  if (reason === null) return '';
  const step = failedStep === null ? '' : ` at step ${safe(failedStep)}`;
  return `${reason}${step}${message === null || message === reason ? '' : `: ${safe(message)}`}`;
}
