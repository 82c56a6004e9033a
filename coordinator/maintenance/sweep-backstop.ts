/**
 * Sweeps a cell when nobody else did: stalled jobs are recovered even where the chores' queue is lost, full or stuck.
 *
 * Invariant: when the last sweep was is read from the cell itself, by the clock of the Redis that keeps it. The wait beyond
 * the interval is a part of the slack, so a sweep from here still comes before the gap counts as an outage.
 */
import type { Cluster, Redis } from 'ioredis';
import { Loop } from '../../runtime/loop.ts';
import { keys } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { StallSweep } from './stall-sweep.ts';

export interface SweepBackstopOptions {
  readonly redis: Redis | Cluster;
  readonly cells: readonly Cell[];
  readonly sweep: StallSweep;
  readonly intervalMs: number;
  readonly slackMs: number;
  readonly onOverdue: (cell: Cell, ageMs: number) => void;
  readonly onError: (error: unknown) => void;
}

const LEAST_MS = 25;

export function sweepBackstop(options: SweepBackstopOptions): Loop {
  const { redis, cells, sweep, intervalMs, slackMs, onOverdue, onError } = options;
  // A third of the slack; with a slack far beyond the interval, half an interval.
  const waitMs = Math.min(slackMs / 3, intervalMs / 2);
  return new Loop({
    name: 'backstop of the stall sweep',
    intervalMs: Math.max(LEAST_MS, waitMs / 2),
    onError,
    run: async (signal) => {
      for (const cell of cells) {
        if (signal.aborted) return;
        try {
          const ageMs = await sweepAge(redis, cell);
          if (ageMs <= intervalMs + waitMs) continue;
          onOverdue(cell, ageMs);
          await sweep.one(cell, signal);
        } catch (error) {
          onError(error);
        }
      }
    },
  });
}

/** Milliseconds since the last sweep of a cell, on one node's clock; infinite before the first one. */
async function sweepAge(redis: Redis | Cluster, cell: Cell): Promise<number> {
  const replies = (await redis.pipeline().hget(keys.meta(cell), 'sweptAt').time().exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw error;
  const [[, sweptAt], [, time]] = replies as [[null, string | null], [null, [string, string]]];
  if (sweptAt === null) return Number.POSITIVE_INFINITY;
  return Number(time[0]) * 1000 + Number(time[1]) / 1000 - Number(sweptAt);
}
