/**
 * An agent process is frozen past its lease while its executor goes on: another agent gets the job, the late result is
 * refused and counted, and the agent works on as if nothing had been.
 */
import { Redis } from 'ioredis';
import { until } from '../../support/until.ts';
import type { Fleet } from './fleet.ts';
import { jobsOf } from './followed.ts';
import type { Findings, Scenario } from './scenario.ts';

export interface FrozenAgentTimes {
  /** Shorter than the lease: its result is there before anybody notices. */
  readonly jobMs: number;
  /** By then the job runs elsewhere. */
  readonly withinMs: number;
}

const PATIENCE_MS = 60_000;

export function frozenAgent({ jobMs, withinMs }: FrozenAgentTimes): Scenario {
  return {
    name: 'frozen-agent',
    run: async (fleet, findings) => {
      const agents = await Promise.all(['agent-1', 'agent-2'].map((name) => fleet.startAgent(name)));
      const workflow = await fleet.submit({
        steps: [{ type: 'chaos.work', input: { ms: jobMs, journal: fleet.journalPath } }],
      });
      const { agentId } = await workflow.started('the job to start', () => true, PATIENCE_MS);
      const frozen = agents.find(({ id }) => id === agentId);
      const rescuer = agents.find(({ id }) => id !== agentId);
      if (frozen === undefined || rescuer === undefined) throw new Error(`no agent is called ${agentId}`);
      findings.say('kill -STOP');
      frozen.proc.signal('SIGSTOP');
      const stoppedAt = Date.now();

      const elsewhere = await workflow.started(
        'the job to start elsewhere',
        (agentId) => agentId === rescuer.id,
        withinMs + PATIENCE_MS,
      );
      const tookMs = elsewhere.atMs - stoppedAt;
      findings.figure('elsewhereAfterMs', tookMs);
      findings.holds(`the job runs elsewhere within ${withinMs} ms`, tookMs <= withinMs);

      await until(
        'the result of the frozen agent',
        async () => (await fleet.journal()).some(({ what }) => what === 'end'),
        { timeoutMs: jobMs + PATIENCE_MS, everyMs: 50 },
      );
      findings.say('kill -CONT');
      frozen.proc.signal('SIGCONT');
      await checkRefusal(fleet, frozen, findings);

      const ended = await workflow.end(jobMs + PATIENCE_MS);
      const [job] = jobsOf(ended);
      findings.equal('the workflow', ended.status, 'succeeded');
      findings.equal(
        'agent, attempt, claims, recoveries of the job',
        [job?.agentId, job?.attempt, job?.claims, job?.recoveries],
        [rescuer.id, 1, 2, 1],
      );
      findings.equal(
        'stalled, recovered, succeeded events',
        [workflow.count('job.stalled'), workflow.count('job.recovered'), workflow.count('job.succeeded')],
        [1, 1, 1],
      );
      const journal = await fleet.journal();
      findings.equal('executions that ended', journal.filter(({ what }) => what === 'end').length, 2);

      rescuer.proc.signal('SIGTERM');
      findings.equal('exit code of the rescuer', await rescuer.proc.exit(PATIENCE_MS), 0);
      const next = await fleet.submit({ steps: [{ type: 'value.echo', input: { again: true } }] });
      const [again] = jobsOf(await next.end(PATIENCE_MS));
      findings.equal('agent of the next job', again?.agentId, frozen.id);
    },
  };
}

async function checkRefusal(
  fleet: Fleet,
  frozen: Awaited<ReturnType<Fleet['startAgent']>>,
  findings: Findings,
): Promise<void> {
  const { reason } = await frozen.proc.said('result refused; the work was wasted', PATIENCE_MS);
  findings.equal('reason of the refusal', reason, 'LEASE_LOST');
  const jobs = await until(
    'the agent to hold nothing',
    async () => {
      const jobs = (await frozen.status())?.jobs;
      return jobs?.held === 0 && jobs.unconfirmed === 0 ? jobs : undefined;
    },
    { timeoutMs: PATIENCE_MS, everyMs: 100 },
  );
  findings.figure('wastedByAgent', jobs.wasted);
  findings.figure('wastedByCoordinator', await wastedInStore(fleet));
  findings.equal(
    'wasted results, by the agent and by the coordinator',
    [findings.figures['wastedByAgent'], findings.figures['wastedByCoordinator']],
    [1, 1],
  );
}

/** The count that coordinators keep, over all cells. */
async function wastedInStore(fleet: Fleet): Promise<number> {
  const redis = new Redis(fleet.redis.port, fleet.redis.host);
  try {
    const counts = await Promise.all(
      (await redis.keys('dibs:{*}:m')).map((key) => redis.hget(key, 'wasted')),
    );
    return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
  } finally {
    redis.disconnect();
  }
}
