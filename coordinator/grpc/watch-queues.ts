/** WatchQueues: all queues, then those that change. */
import type { Queue__Output, WatchQueuesResponse__Output } from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import type { FleetNews, QueueBoard, QueueNews } from '../forecast/queue-board.ts';

export async function watchQueues(
  board: QueueBoard,
  write: (response: Plain<WatchQueuesResponse__Output>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const changed = new Map<string, QueueNews>();
  let fleet: FleetNews | undefined;
  let wake: () => void = () => {};
  const signOff = board.watch((queues, now) => {
    for (const queue of queues) changed.set(queue.name, queue);
    fleet = now;
    wake();
  });
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    void board.run();
    while (!signal.aborted) {
      if (fleet === undefined) await new Promise<void>((resolve) => (wake = resolve));
      if (fleet === undefined) continue;
      const queues = [...changed.values()].map(queueMessage);
      const { connected, quarantined, paused, slots, held } = fleet;
      changed.clear();
      fleet = undefined;
      await write({
        queues,
        fleet: {
          agentsConnected: connected,
          agentsQuarantined: quarantined,
          agentsPaused: paused,
          slots,
          held,
        },
      });
    }
  } finally {
    signOff();
  }
}

export function queueMessage(queue: QueueNews): Plain<Queue__Output> {
  const { quality } = queue;
  return {
    name: queue.name,
    type: queue.type,
    requirementJson: queue.requirement === null ? '' : JSON.stringify(queue.requirement),
    waiting: queue.waiting,
    oldestWaitMs: queue.oldestWaitMs,
    eligibleAgents: queue.eligibleAgents,
    running: queue.running,
    pause: queue.pause ?? null,
    waitingCost: queue.waitingCost,
    throughput: queue.throughput,
    drainInMs: queue.drainInMs,
    stalls: queue.stalls,
    drifts: queue.drifts.map(({ agentId, small, large, samples }) => ({
      agentId,
      smallJobs: small,
      largeJobs: large,
      samples,
    })),
    closedAgents: queue.closedAgents,
    forecastQuality:
      quality === undefined
        ? null
        : { samples: quality.samples, medianError: quality.medianError, withinP90: quality.withinP90 },
    unrunnableReason: queue.unrunnableReason,
  };
}
