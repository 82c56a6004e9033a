/**
 * Redis is killed under eight running jobs and comes back on its append-only file: half of them end meanwhile, half
 * later; nothing stalls, nothing runs twice, all results arrive.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { jobsOf } from './followed.ts';
import type { Scenario } from './scenario.ts';

export interface RedisOutageTimes {
  readonly name: string;
  readonly outageMs: number;
}

const PATIENCE_MS = 120_000;
const JOBS = 8;
/** The append-only file is written through every second; what is acknowledged must be on disk before the crash. */
const SETTLE_MS = 3_000;

export function redisOutage({ name, outageMs }: RedisOutageTimes): Scenario {
  return {
    name,
    run: async (fleet, findings) => {
      const agents = await Promise.all(
        ['agent-1', 'agent-2'].map((name) => fleet.startAgent(name, ['--slots', String(JOBS / 2)])),
      );
      const lengths = Array.from({ length: JOBS }, (_, n) =>
        n % 2 === 0 ? outageMs / 2 + n * 500 : outageMs + 30_000 + n * 500,
      );
      const workflow = await fleet.submit({
        steps: lengths.map((ms, n) => ({
          type: 'chaos.work',
          name: `work-${n}`,
          input: { ms, journal: fleet.journalPath },
        })),
      });
      await until('all jobs to start', () => workflow.count('job.started') === JOBS, {
        timeoutMs: PATIENCE_MS,
      });
      await pause(SETTLE_MS);
      findings.say(`kill -9 of Redis for ${outageMs} ms`);
      await fleet.redis.crash();
      await pause(outageMs);
      await fleet.redis.restart();
      const backAt = Date.now();
      findings.say('Redis is back');

      const ended = await workflow.end(outageMs + PATIENCE_MS);
      findings.figure('endedAfterMs', (ended.completedAt?.getTime() ?? 0) - backAt);
      const first = workflow.events.find(
        ({ type, at }) => type === 'job.succeeded' && (at?.getTime() ?? 0) >= backAt,
      );
      findings.figure('firstResultAfterMs', (first?.at?.getTime() ?? 0) - backAt);
      findings.equal('the workflow', ended.status, 'succeeded');
      findings.figure('stalls', workflow.count('job.stalled'));
      findings.equal('stalls', workflow.count('job.stalled'), 0);
      findings.equal('resyncs', workflow.resyncs, 0);
      findings.equal(
        'claims of each job',
        jobsOf(ended).map(({ claims }) => claims),
        lengths.map(() => 1),
      );
      findings.equal('results in the log', workflow.count('job.succeeded'), JOBS);
      const journal = await fleet.journal();
      const counted = (what: string): number => journal.filter((one) => one.what === what).length;
      findings.equal(
        'executions that started, ended, were stopped',
        [counted('start'), counted('end'), counted('abort')],
        [JOBS, JOBS, 0],
      );
      findings.equal(
        'agents that run',
        agents.map(({ proc }) => proc.running),
        [true, true],
      );
    },
  };
}
