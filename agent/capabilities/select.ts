/**
 * Which of the executors at hand this box offers, and why it leaves out the others. Pure.
 *
 * 1. Every executor left out has a reason a person can read: "why does my agent get nothing" begins here.
 * 2. An executor whose model cannot fit any GPU is never offered: its jobs would be won and then fail.
 */
import type { GpuInfo } from '../hardware/gpu.ts';
import type { ExecutorDescription } from '../jobs/contract.ts';

export interface Selection {
  readonly offered: readonly ExecutorDescription[];
  readonly left: readonly { readonly type: string; readonly reason: string }[];
}

export function selectExecutors(
  executors: readonly ExecutorDescription[],
  gpus: readonly Pick<GpuInfo, 'vramBytes'>[],
): Selection {
  const offered: ExecutorDescription[] = [];
  const left: { type: string; reason: string }[] = [];
  for (const executor of executors) {
    const reason = lacks(executor, gpus);
    if (reason === undefined) offered.push(executor);
    else left.push({ type: executor.type, reason });
  }
  return { offered, left };
}

function lacks(
  executor: ExecutorDescription,
  gpus: readonly Pick<GpuInfo, 'vramBytes'>[],
): string | undefined {
  if (executor.gpus > gpus.length) return `needs ${executor.gpus} GPUs, ${gpus.length} are visible`;
  const roomy = gpus.filter(({ vramBytes }) => vramBytes >= executor.vramBytes).length;
  const needed = Math.max(executor.gpus, executor.vramBytes > 0 ? 1 : 0);
  return roomy >= needed ? undefined : `needs ${executor.vramBytes} bytes of GPU memory, no GPU has as much`;
}
