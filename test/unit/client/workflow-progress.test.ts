import { describe, expect, it } from 'vitest';
import { WorkflowProgress } from '../../../sdk/client/index.ts';
import type { LogEvent, ResyncEvent, StepView } from '../../../sdk/client/index.ts';

const step = (name: string, jobsTotal = 0): StepView => ({ name, type: 't', jobsTotal }) as StepView;
const event = (type: string, fields: Partial<LogEvent>): LogEvent =>
  ({
    type,
    step: 'tiles',
    jobId: null,
    agentId: null,
    data: null,
    status: 'processing',
    ...fields,
  }) as LogEvent;

describe('workflow progress', () => {
  it('counts jobs, whatever order they come in', () => {
    const progress = new WorkflowProgress({ steps: [step('tiles', 4), step('sheet')] });
    progress.apply(event('workflow.started', { step: null }));
    progress.apply(event('step.started', {}));
    progress.apply(event('job.started', { jobId: 'a' }));
    progress.apply(event('job.progress', { jobId: 'a', data: { progress: 0.5 } }));
    progress.apply(event('job.started', { jobId: 'b' }));
    progress.apply(event('job.succeeded', { jobId: 'b', agentId: 'agent_1', status: 'succeeded' }));
    progress.apply(event('job.failed', { jobId: 'c', status: 'failed' }));
    expect(progress.status).toBe('processing');
    expect(progress.agents).toEqual(new Map([['agent_1', 1]]));
    expect(progress.steps).toMatchObject([
      { name: 'tiles', total: 4, succeeded: 1, failed: 1, running: 1, fraction: 0.375 },
      { name: 'sheet', total: 0, fraction: 0 },
    ]);
  });

  it('counts a job once, and never after its end', () => {
    const progress = new WorkflowProgress({ steps: [step('tiles', 2)] });
    for (const type of ['job.queued', 'job.stalled', 'job.recovered']) {
      progress.apply(event(type, { jobId: 'a', status: 'unassigned' }));
    }
    progress.apply(event('job.succeeded', { jobId: 'a', status: 'succeeded', agentId: 'x' }));
    progress.apply(event('job.progress', { jobId: 'a', data: { progress: 0.1 } }));
    expect(progress.steps).toMatchObject([{ total: 2, succeeded: 1, running: 0, fraction: 0.5 }]);
  });

  it('starts anew from a resync', () => {
    const progress = new WorkflowProgress({ steps: [step('tiles', 2)] });
    progress.apply(event('job.succeeded', { jobId: 'a', status: 'succeeded' }));
    const workflow = {
      status: 'processing',
      steps: [
        { name: 'tiles', type: 't', status: 'processing', jobsTotal: 2, jobsSucceeded: 0, jobsFailed: 1 },
      ],
    };
    progress.apply({ type: 'resync', workflow } as unknown as ResyncEvent);
    progress.apply(event('job.succeeded', { jobId: 'a', status: 'succeeded' }));
    expect(progress.steps).toMatchObject([{ total: 2, succeeded: 1, failed: 1 }]);
  });

  it('takes a failed job for one that a retry replaces, until the step has failed', () => {
    const progress = new WorkflowProgress({ steps: [step('tiles')] });
    progress.apply(event('job.failed', { jobId: 'a', status: 'failed' }));
    progress.apply(event('job.queued', { jobId: 'b', status: 'unassigned' }));
    expect(progress.steps).toMatchObject([{ total: 1, failed: 1 }]);
    progress.apply(event('step.failed', { status: 'failed' }));
    expect(progress.steps).toMatchObject([{ total: 2, failed: 1 }]);
  });

  it('calls a finished step whole, also one without jobs', () => {
    const progress = new WorkflowProgress({ steps: [step('tiles')] });
    progress.apply(event('step.skipped', { status: 'skipped' }));
    expect(progress.steps).toMatchObject([{ fraction: 1, total: 0 }]);
  });
});
