/**
 * Every agent that takes the job is frozen: three recoveries, and the fourth stall ends it. When the agents thaw, each
 * stops what it still runs.
 */
import { until } from '../../support/until.ts';
import { jobsOf } from './followed.ts';
import type { Scenario } from './scenario.ts';

export interface StalledFourTimesTimes {
  /** Of one stall, from the freeze on. */
  readonly withinMs: number;
}

const PATIENCE_MS = 60_000;
const AGENTS = 4;

export function stalledFourTimes({ withinMs }: StalledFourTimesTimes): Scenario {
  return {
    name: 'stalled-four-times',
    run: async (fleet, findings) => {
      const agents = await Promise.all(
        Array.from({ length: AGENTS }, (_, n) => fleet.startAgent(`agent-${n + 1}`, ['--slots', '1'])),
      );
      const workflow = await fleet.submit({
        steps: [{ type: 'chaos.work', name: 'work', input: { ms: 3_600_000, journal: fleet.journalPath } }],
      });
      const tried: string[] = [];
      for (let stall = 1; stall <= AGENTS; stall++) {
        const started = await workflow.started(
          `start ${stall}`,
          (agentId) => !tried.includes(agentId),
          withinMs + PATIENCE_MS,
        );
        const holder = agents.find(({ id }) => id === started.agentId);
        if (holder === undefined) throw new Error(`no agent is called ${started.agentId}`);
        tried.push(holder.id);
        findings.say(`kill -STOP, agent ${stall}`);
        holder.proc.signal('SIGSTOP');
        const stoppedAt = Date.now();
        const stalled = await workflow.event(
          `stall ${stall}`,
          ({ type, agentId }) => type === 'job.stalled' && agentId === holder.id,
          withinMs + PATIENCE_MS,
        );
        const tookMs = (stalled.at?.getTime() ?? 0) - stoppedAt;
        findings.figure(`stall${stall}AfterMs`, tookMs);
        findings.holds(`stall ${stall} is seen within ${withinMs} ms`, tookMs <= withinMs);
      }

      const ended = await workflow.end(PATIENCE_MS);
      const [job] = jobsOf(ended);
      findings.equal('workflow and step', [ended.status, ended.failedStep], ['failed', 'work']);
      findings.equal('the job', [job?.status, job?.reason], ['failed', 'RECOVERY_EXHAUSTED']);
      findings.equal('attempt, claims, recoveries', [job?.attempt, job?.claims, job?.recoveries], [1, 4, 3]);
      findings.equal(
        'agents that the message leaves out',
        tried.filter((id) => job?.message?.includes(id) !== true),
        [],
      );
      findings.equal(
        'stalled, recovered, failed events',
        [workflow.count('job.stalled'), workflow.count('job.recovered'), workflow.count('job.failed')],
        [4, 3, 1],
      );

      for (const { proc } of agents) proc.signal('SIGCONT');
      const thawedAt = Date.now();
      for (const agent of agents) {
        await agent.proc.said('lease lost; the job is stopped', PATIENCE_MS);
        await until('the agent to hold nothing', async () => (await agent.status())?.slots.running === 0, {
          timeoutMs: PATIENCE_MS,
          everyMs: 100,
        });
      }
      findings.figure('allStoppedAfterMs', Date.now() - thawedAt);
      const journal = await fleet.journal();
      findings.equal(
        'executions that were stopped',
        journal.filter(({ what }) => what === 'abort').length,
        4,
      );
    },
  };
}
