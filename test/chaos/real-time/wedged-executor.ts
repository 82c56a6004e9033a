/**
 * The process of an executor is frozen for far longer than a lease while its agent lives: the job never stalls, its
 * attempt timeout ends it, and the agent takes the next one.
 */
import { isAlive } from '../../support/processes.ts';
import { until } from '../../support/until.ts';
import { jobsOf } from './followed.ts';
import type { Scenario } from './scenario.ts';

const PATIENCE_MS = 60_000;

export function wedgedExecutor({ timeoutMs }: { readonly timeoutMs: number }): Scenario {
  return {
    name: 'wedged-executor',
    run: async (fleet, findings) => {
      const agent = await fleet.startAgent('agent');
      const work = { type: 'chaos.work', input: { ms: 3_600_000, journal: fleet.journalPath } };
      const workflow = await fleet.submit({ steps: [{ ...work, timeout: timeoutMs }] });
      const { atMs } = await workflow.started('the job to start', () => true, PATIENCE_MS);
      const [begun] = await until('the executor to begin', async () => {
        const journal = await fleet.journal();
        return journal.length > 0 ? journal : undefined;
      });
      if (begun === undefined) throw new Error('nothing has begun');
      findings.say('kill -STOP of the executor');
      process.kill(begun.pid, 'SIGSTOP');

      const ended = await workflow.end(timeoutMs + PATIENCE_MS);
      findings.figure('endedAfterMs', (ended.completedAt?.getTime() ?? 0) - atMs);
      const [job] = jobsOf(ended);
      findings.equal('the job', [job?.status, job?.reason], ['expired', 'DEADLINE_EXCEEDED_RUNNING']);
      findings.equal('attempt, claims, recoveries', [job?.attempt, job?.claims, job?.recoveries], [1, 1, 0]);
      findings.equal('stalls', workflow.count('job.stalled'), 0);
      await until('the executor to be gone', () => !isAlive(begun.pid), { timeoutMs: PATIENCE_MS });

      const next = await fleet.submit({ steps: [{ ...work, input: { ...work.input, ms: 10 } }] });
      findings.equal('the next job', (await next.end(PATIENCE_MS)).status, 'succeeded');
      findings.equal('the agent runs', agent.proc.running, true);
    },
  };
}
