/**
 * What a coordinator does without being asked, put together: the due loop of each cell, the stall sweep as a chore of the
 * fleet, and its backstop.
 */
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '../../runtime/log.ts';
import type { RedisTarget } from '../../runtime/redis/target.ts';
import type { Service } from '../../runtime/service.ts';
import { jobId } from '../queue/keys.ts';
import type { StallNotes } from '../queue/items.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { CoordinatorTimes } from '../times.ts';
import type { Shell } from '../workflow/shell.ts';
import { Chores } from './chores.ts';
import { dueLoop } from './due-loop.ts';
import { StallSweep } from './stall-sweep.ts';
import { sweepBackstop } from './sweep-backstop.ts';

export interface MaintenanceOptions {
  readonly redis: Redis | Cluster;
  readonly target: string | RedisTarget;
  readonly namespace: string;
  readonly cells: readonly Cell[];
  readonly store: Store;
  readonly shell: Shell;
  readonly times: CoordinatorTimes;
  readonly log: Logger;
  /** What is known of the jobs of a cell that may be called stalled now. */
  readonly diagnose: (cell: Cell) => Promise<StallNotes>;
  readonly onStalled?: (ref: string, recovered: boolean) => void;
  /** Jobs went back to their queues. */
  readonly onRequeued: (cell: Cell) => void;
  readonly onError: (error: unknown) => void;
}

export function maintenance(options: MaintenanceOptions): Service[] {
  const { redis, target, namespace, cells, store, shell, times, log, diagnose, onRequeued, onError } =
    options;
  const sweep = new StallSweep({
    cells,
    store,
    shell,
    intervalMs: times.sweepMs,
    slackMs: times.sweepSlackMs,
    maxRecoveries: times.maxRecoveries,
    diagnose,
    onError,
    onStalled: (ref, agent, recovered) => {
      options.onStalled?.(ref, recovered);
      log.warn({ jobId: jobId(ref), agentId: agent, recovered }, 'a job stalled');
    },
    onRequeued,
  });
  return [
    ...cells.map((cell) =>
      dueLoop({
        cell,
        store,
        shell,
        intervalMs: times.dueMs,
        undecidedMs: times.undecidedMs,
        onRequeued,
        onError,
      }),
    ),
    sweepBackstop({
      redis,
      cells,
      sweep,
      intervalMs: times.sweepMs,
      slackMs: times.sweepSlackMs,
      onOverdue: (cell, ageMs) =>
        log.debug({ cell: cell.index, ageMs }, 'nobody swept this cell; sweeping it here'),
      onError,
    }),
    new Chores({
      target,
      namespace,
      chores: [{ name: 'sweep', everyMs: times.sweepMs, run: (signal) => sweep.all(signal) }],
      onTrouble: (error) => log.warn({ err: error }, 'the chores are in trouble; the backstop sweeps'),
      onWell: () => log.info('the chores are well again'),
    }),
  ];
}
