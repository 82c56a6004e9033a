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
    ['agents', String(queue.eligibleAgents)],
  ];
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
