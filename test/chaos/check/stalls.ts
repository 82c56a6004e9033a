/** Stalls: only where something was wrong with it, its coordinator or the way between them. */
import type { Disturbance, Rule } from './history.ts';

/** What excuses a silence of a lease. An outage of Redis does not: it must stall nobody. */
const SILENCE =
  /^(kill-agent|freeze-agent|term-agent|kill-coordinator|freeze-coordinator|partition|cut|cut-before|cut-after|freeze-redis|starved)$/;

export const stallsExcused: Rule = function* ({ stored, disturbances, agentNames, leaseMs, sweepMs }) {
  const excuses = disturbances.filter(({ kind }) => SILENCE.test(kind));
  for (const { id, events } of stored.workflows.values()) {
    for (const { type, agent, atMs } of events) {
      if (type !== 'job.stalled') continue;
      const name = agentNames.get(agent) ?? agent;
      const from = atMs - 2 * leaseMs - 2 * sweepMs;
      if (!excuses.some((excuse) => concerns(excuse, name) && excuse.from <= atMs && excuse.to >= from))
        yield `${id}: a job stalled at ${name} at ${new Date(atMs).toISOString()}, and nothing was wrong`;
    }
  }
};

/** Targets are names of members, or of links such as "agent-1>coordinators". */
function concerns({ kind, target }: Disturbance, agent: string): boolean {
  if (kind.endsWith('-agent')) return target === agent;
  if (target.startsWith('clients>') || target.startsWith('consumer')) return false;
  return !target.startsWith('agent-') || target === agent || target.startsWith(`${agent}>`);
}
