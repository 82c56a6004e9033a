/**
 * How long work was away: from the moment its agent was killed or frozen to the moment another claim had it again.
 */
import type { History } from '../check/history.ts';

export function recoveryTimes({ stored, disturbances, agentNames }: History): { p50: number; p99: number } {
  const taken = disturbances.filter(({ kind }) => kind === 'kill-agent' || kind === 'freeze-agent');
  const times: number[] = [];
  for (const { events } of stored.workflows.values()) {
    /** Jobs on their way back, by when they were lost. */
    const away = new Map<string, number>();
    for (const { type, step, ordinal, agent, atMs } of events) {
      const place = `${step},${ordinal}`;
      if (type === 'job.released' || type === 'job.recovered') {
        const name = agentNames.get(agent) ?? agent;
        const loss = taken.findLast(({ target, from }) => target === name && from <= atMs);
        if (loss !== undefined) away.set(place, loss.from);
      }
      const since = away.get(place);
      if (type !== 'job.claimed' || since === undefined) continue;
      times.push(atMs - since);
      away.delete(place);
    }
  }
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** 0 where there is nothing. */
function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
