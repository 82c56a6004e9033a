/**
 * From the owner's wish and the executors to groups of slots. Pure.
 *
 * `--slots N`: one group of N, whatever the types.
 * `--slots auto`: jobs in processes share as many slots as there are cores (more, where one executor says it can use
 * more); inline jobs share one thread, take no core of their own, and may be as many as their executor says.
 */
import type { SlotGroup } from './slots.ts';

export interface PlannedExecutor {
  readonly type: string;
  readonly concurrency: number;
  readonly isolation: 'process' | 'inline';
}

export function planSlots(
  wish: number | 'auto',
  cores: number,
  executors: readonly PlannedExecutor[],
): SlotGroup[] {
  if (wish !== 'auto') return [{ total: wish, types: executors }];
  const isolated = executors.filter(({ isolation }) => isolation === 'process');
  const inline = executors.filter(({ isolation }) => isolation === 'inline');
  return [
    ...(isolated.length === 0
      ? []
      : [{ total: Math.max(1, cores, mostParallel(isolated)), types: isolated }]),
    ...(inline.length === 0 ? [] : [{ total: mostParallel(inline), types: inline }]),
  ];
}

export function slotTotal(groups: readonly SlotGroup[]): number {
  return groups.reduce((total, group) => total + group.total, 0);
}

function mostParallel(executors: readonly PlannedExecutor[]): number {
  return Math.max(...executors.map(({ concurrency }) => concurrency));
}
