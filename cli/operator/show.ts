/** One queue and one agent as text for people. */
import type { AgentView, PauseView, QuarantineView, QueueView } from '../../sdk/client/index.ts';
import { formatDuration } from '../../sdk/common/duration.ts';
import { renderFields, safe } from '../output/table.ts';
import { age, bytes } from '../output/times.ts';

type Fields = [string, string][];

export function showQueue(queue: QueueView, now: number): string[] {
  const fields: Fields = [
    ['name', safe(queue.name)],
    ['type', safe(queue.type)],
    ['waiting', String(queue.waiting)],
    ['oldest', queue.waiting === 0 ? '-' : formatDuration(queue.oldestWaitMs)],
    ['running', String(queue.running)],
    [
      'agents',
      queue.closedAgents === 0
        ? String(queue.eligibleAgents)
        : `${queue.eligibleAgents}, ${queue.closedAgents} of them take nothing now`,
    ],
  ];
  if (queue.throughput > 0)
    fields.push(['throughput', `${Number(queue.throughput.toPrecision(3))} cost/s with all slots busy`]);
  if (queue.drainInMs !== null)
    fields.push([
      'started in',
      `${formatDuration(Math.round(queue.drainInMs / 100) * 100)} (all that wait now)`,
    ]);
  if (queue.unrunnableReason !== null) fields.push(['runnable', `false: ${safe(queue.unrunnableReason)}`]);
  for (const { agentId, smallJobs, largeJobs } of queue.drifts.slice(0, 5)) {
    const told = `small jobs take ×${smallJobs.toFixed(2)}, large ones ×${largeJobs.toFixed(2)} of what their cost says`;
    fields.push(['cost drift', `${agentId}: ${told}`]);
  }
  if (queue.forecastQuality !== null) {
    const { medianError, withinP90, samples } = queue.forecastQuality;
    const told = `off by ${Math.round(medianError * 100)} % (median), ${Math.round(withinP90 * 100)} % within p90`;
    fields.push(['forecasts', `${told}, of ${samples}`]);
  }
  if (queue.requirement !== null) fields.push(['needs', safe(JSON.stringify(queue.requirement))]);
  if (queue.pause !== null) fields.push(['paused', pauseText(queue.pause, now)]);
  return renderFields(fields);
}

export function showAgent(agent: AgentView, now: number, wide: boolean): string[] {
  const fields: Fields = [
    ['id', agent.id],
    ['name', safe(agent.name)],
    ['status', agent.status],
    ['jobs', `${agent.held}/${agent.slots}`],
    ['types', safe(agent.types.join(', ')) || '-'],
    ['seen', `${age(agent.heartbeatAt, now)} ago`],
  ];
  if (agent.pause !== null) fields.push(['paused', pauseText(agent.pause, now)]);
  if (agent.quarantine !== null) fields.push(...quarantineFields(agent.quarantine, now));
  if (wide) fields.push(...wideFields(agent));
  return renderFields(fields);
}

function pauseText({ by, note, since }: PauseView, now: number): string {
  return `${age(since, now)} ago by ${safe(by)}${note === null ? '' : `: ${safe(note)}`}`;
}

function quarantineFields({ reason, by, since, until, times }: QuarantineView, now: number): Fields {
  const ends =
    until === null
      ? 'until it is released'
      : until.getTime() <= now
        ? 'on trial, one job at a time'
        : `on trial in ${formatDuration(Math.ceil((until.getTime() - now) / 1000) * 1000)}`;
  const again = times === 0 ? '' : `, ${times} ${times === 1 ? 'trial' : 'trials'} failed`;
  return [
    ['quarantine', `${safe(by)}, since ${age(since, now)}; ${ends}${again}`],
    ['reason', safe(reason)],
  ];
}

function wideFields({ version, coordinatorId, labels, hardware }: AgentView): Fields {
  const pairs = Object.entries(labels).map((pair) => pair.join('='));
  const fields: Fields = [
    ['version', safe(version)],
    ['coordinator', safe(coordinatorId)],
    ['labels', safe(pairs.join(', ')) || '-'],
  ];
  if (hardware === null) return fields;
  const gpus = hardware.gpus.map(({ model }) => safe(model)).join(', ');
  fields.push(
    ['cpu', `${safe(hardware.cpuModel)} (${hardware.cpuCores} cores)`],
    ['memory', bytes(hardware.memoryBytes)],
    ['gpus', gpus || '-'],
  );
  return fields;
}
