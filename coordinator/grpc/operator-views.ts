/** Agents as operators see them. */
import type { Agent__Output } from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import type { Controls } from '../agents/controls.ts';
import type { AgentRecord } from '../agents/fleet.ts';

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
    condition: record.condition,
  };
}
