/** The only coordinator is killed while a job runs and comes back when the job has ended: one result, nothing run twice. */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { jobsOf } from './followed.ts';
import type { Scenario } from './scenario.ts';

export interface CoordinatorRestartTimes {
  readonly jobMs: number;
  readonly killAfterMs: number;
}

const PATIENCE_MS = 60_000;

export function coordinatorRestart(times: CoordinatorRestartTimes): Scenario {
  const { jobMs, killAfterMs } = times;
  return {
    name: 'coordinator-restart',
    run: async (fleet, findings) => {
      const agent = await fleet.startAgent('agent');
      const workflow = await fleet.submit({
        steps: [{ type: 'chaos.work', input: { ms: jobMs, journal: fleet.journalPath } }],
      });
      const started = await workflow.event(
        'the job to start',
        ({ type }) => type === 'job.started',
        PATIENCE_MS,
      );
      const ageMs = Date.now() - (started.at?.getTime() ?? 0);
      await pause(Math.max(0, killAfterMs - ageMs));
      findings.say('kill -9 of the coordinator');
      await fleet.coordinator.kill();
      await until('the job to end', async () => (await fleet.journal()).some(({ what }) => what === 'end'), {
        timeoutMs: jobMs + PATIENCE_MS,
        everyMs: 50,
      });
      findings.equal('the agent runs', agent.proc.running, true);
      await until('the result to be spooled', async () => (await agent.status())?.jobs.unconfirmed === 1);
      await fleet.startCoordinator();
      const servingAt = Date.now();

      const ended = await workflow.end(PATIENCE_MS);
      findings.figure('deliveredAfterMs', (ended.completedAt?.getTime() ?? 0) - servingAt);
      const [job] = jobsOf(ended);
      findings.equal('the workflow', ended.status, 'succeeded');
      findings.equal('the output', job?.output, { ms: jobMs });
      findings.equal('attempt, claims, recoveries', [job?.attempt, job?.claims, job?.recoveries], [1, 1, 0]);
      findings.equal('results in the log', workflow.count('job.succeeded'), 1);
      findings.equal(
        'executions',
        (await fleet.journal()).map(({ what }) => what),
        ['start', 'end'],
      );
      findings.equal('the agent still runs', agent.proc.running, true);
      await until('the ack to arrive', async () => (await agent.status())?.jobs.unconfirmed === 0, {
        timeoutMs: PATIENCE_MS,
      });
    },
  };
}
