/** Queues and agents as operators see them. */
import type { Agent__Output, Queue__Output } from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import type { Controls } from '../agents/controls.ts';
import type { AgentRecord, Fleet } from '../agents/fleet.ts';
import type { QueueStat, QueueStats } from '../queue/stats.ts';

/** Every queue, by name; agents in quarantine can run nothing. */
export async function readQueues(
  fleet: Fleet,
  stats: QueueStats,
  controls: Controls,
): Promise<Plain<Queue__Output>[]> {
  const agents = await fleet.connected();
  const profiles = agents
    .filter(({ id }) => controls.quarantine.standingOf(id) !== 'quarantined')
    .map(({ profile }) => profile);
  return (await stats.list(profiles)).map((queue) => queueMessage(queue, controls));
}

function queueMessage(queue: QueueStat, controls: Controls): Plain<Queue__Output> {
  return {
    name: queue.name,
    type: queue.type,
    requirementJson: queue.requirement === null ? '' : JSON.stringify(queue.requirement),
    waiting: queue.waiting,
    oldestWaitMs: queue.oldestWaitMs,
    eligibleAgents: queue.eligibleAgents,
    pause: controls.pauses.ofQueue(queue.name, queue.type) ?? null,
  };
}

export function agentMessage(record: AgentRecord, controls: Controls): Plain<Agent__Output> {
  const { state, pause, quarantine } = controls.stateOf(record);
  return {
    id: record.id,
    name: record.name,
    version: record.version,
    state: state as Agent__Output['state'],
    coordinatorId: record.coordinatorId,
    connectedAtMs: record.connectedAtMs,
    heartbeatAtMs: record.heartbeatAtMs,
    advertisement: record.advertisement,
    held: record.held,
    throughput: record.throughput,
    telemetry: record.telemetry,
    pause: pause ?? null,
    quarantine: quarantine ?? null,
  };
}
