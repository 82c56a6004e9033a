/** SIGTERM to an agent: once, and its job finishes; twice, and its job goes to another at once, however stubborn it is. */
import { isAlive } from '../../support/processes.ts';
import { until } from '../../support/until.ts';
import { jobsOf } from './followed.ts';
import type { Scenario } from './scenario.ts';

const PATIENCE_MS = 60_000;
/** A job must be claimable elsewhere in less. */
const HAND_BACK_MS = 3_000;

export function sigtermOnce({ jobMs }: { readonly jobMs: number }): Scenario {
  return {
    name: 'sigterm-once',
    run: async (fleet, findings) => {
      const agent = await fleet.startAgent('agent');
      const work = { type: 'chaos.work', input: { ms: jobMs, journal: fleet.journalPath } };
      const workflow = await fleet.submit({ steps: [work] });
      await workflow.event('the job to start', ({ type }) => type === 'job.started', PATIENCE_MS);
      agent.proc.signal('SIGTERM');
      await agent.proc.said('draining: no new jobs, held ones finish');
      const later = await fleet.submit({ steps: [work] });
      findings.equal('exit code', await agent.proc.exit(jobMs + PATIENCE_MS), 0);
      const ended = await workflow.end(PATIENCE_MS);
      const [job] = jobsOf(ended);
      findings.equal('the workflow', ended.status, 'succeeded');
      findings.equal('attempt, claims', [job?.attempt, job?.claims], [1, 1]);
      findings.equal('claims of a job submitted meanwhile', later.count('job.claimed'), 0);
    },
  };
}

export function sigtermTwice(): Scenario {
  return {
    name: 'sigterm-twice',
    run: async (fleet, findings) => {
      const leaving = await fleet.startAgent('leaving');
      const workflow = await fleet.submit({
        steps: [{ type: 'chaos.stubborn', input: { ms: 3_600_000, journal: fleet.journalPath } }],
      });
      await workflow.event('the job to start', ({ type }) => type === 'job.started', PATIENCE_MS);
      const staying = await fleet.startAgent('staying');
      leaving.proc.signal('SIGTERM');
      await leaving.proc.said('draining: no new jobs, held ones finish');
      leaving.proc.signal('SIGTERM');
      const hurriedAt = Date.now();
      const claimed = await workflow.event(
        'the job to be claimed elsewhere',
        ({ type, agentId }) => type === 'job.claimed' && agentId === staying.id,
        PATIENCE_MS,
      );
      const tookMs = (claimed.at?.getTime() ?? 0) - hurriedAt;
      findings.figure('claimedElsewhereAfterMs', tookMs);
      findings.holds(`the job is claimed elsewhere in less than ${HAND_BACK_MS} ms`, tookMs < HAND_BACK_MS);
      findings.equal('exit code', await leaving.proc.exit(PATIENCE_MS), 130);
      findings.figure('endedAfterMs', Date.now() - hurriedAt);
      const [first] = await fleet.journal();
      await until('the executor to be gone', () => first !== undefined && !isAlive(first.pid));
      findings.equal('stalls', workflow.count('job.stalled'), 0);
      const [job] = jobsOf(await fleet.client.get(workflow.id, { includeJobs: true }));
      findings.equal('attempt, claims', [job?.attempt, job?.claims], [1, 2]);
    },
  };
}
