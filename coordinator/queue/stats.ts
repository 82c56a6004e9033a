/**
 * What stands in each queue, over all cells.
 */
import type { Cluster, Redis } from 'ioredis';
import { countEligible } from '../agents/fleet.ts';
import type { Classes } from '../agents/classes.ts';
import type { Requirement } from '../workflow/plan.ts';
import { keys, sliceOfMember } from './keys.ts';
import type { Cell } from './keys.ts';
import type { Profile } from './match.ts';
import type { Reads } from './reads.ts';

/** Field of a class's clocks: jobs its entries stand for beyond one each (lua/lib/queue.lua). */
const JOBS_BEYOND_ENTRIES = 'R';

export interface QueueStat {
  readonly name: string;
  readonly type: string;
  readonly requirement: Requirement | null;
  readonly waiting: number;
  /** Age of the entry at the front, milliseconds. */
  readonly oldestWaitMs: number;
  readonly eligibleAgents: number;
}

export interface QueueStatsOptions {
  readonly redis: Redis | Cluster;
  readonly cells: readonly Cell[];
  readonly classes: Classes;
  readonly reads: Reads;
  readonly now: () => number;
}

export class QueueStats {
  readonly #options: QueueStatsOptions;

  constructor(options: QueueStatsOptions) {
    this.#options = options;
  }

  /** Queues ordered by name. */
  async list(profiles: readonly Profile[]): Promise<QueueStat[]> {
    const { classes, cells } = this.#options;
    await classes.refresh();
    const names = [...classes.needs.keys()].toSorted();
    return Promise.all(
      names.map(async (name) => {
        const need = classes.needs.get(name) as { type: string; requirement: Requirement | null };
        const parts = await Promise.all(cells.map((cell) => this.#inCell(cell, name)));
        return {
          name,
          type: need.type,
          requirement: need.requirement,
          waiting: parts.reduce((sum, part) => sum + part.waiting, 0),
          oldestWaitMs: Math.max(0, ...parts.map((part) => part.oldestWaitMs)),
          eligibleAgents: countEligible(profiles, need),
        };
      }),
    );
  }

  async #inCell(cell: Cell, name: string): Promise<{ waiting: number; oldestWaitMs: number }> {
    const { redis, reads, now } = this.#options;
    const key = keys.queue(cell, name);
    // One moment: a claim moves a whole run.
    const answers = await redis
      .multi()
      .zcard(key)
      .hget(keys.fair(cell, name), JOBS_BEYOND_ENTRIES)
      .zrange(key, '0', '0')
      .exec();
    const [entries, beyond, front] = (answers ?? []).map(([error, value]) => {
      if (error !== null) throw error;
      return value;
    }) as [number, string | null, string[]];
    if (front[0] === undefined) return { waiting: 0, oldestWaitMs: 0 };
    const waiting = entries + Number(beyond ?? 0);
    const { wid, step, ordinal } = sliceOfMember(front[0]);
    const [job] = await reads.jobs(cell, wid, step, ordinal, ordinal + 1);
    return { waiting, oldestWaitMs: job === undefined ? 0 : Math.max(0, now() - job.queuedAt) };
  }
}
