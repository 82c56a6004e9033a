/**
 * Which GPUs one slot of an executor sees: one slot per GPU, by UUID. Pure.
 *
 * 1. Slot n of an executor that needs k GPUs gets GPUs n*k … n*k+k-1: slots never share one.
 * 2. An executor that needs none sees none, so that it cannot take memory it was not given.
 */

export function gpuSlots(gpuCount: number, gpusPerJob: number): number {
  return gpusPerJob === 0 ? 0 : Math.floor(gpuCount / gpusPerJob);
}

/** Variables for one slot; empty on a box without GPUs. */
export function gpuEnvironment(
  uuids: readonly string[],
  gpusPerJob: number,
  slot: number,
): Record<string, string> {
  if (uuids.length === 0) return {};
  const mine = uuids.slice(slot * gpusPerJob, slot * gpusPerJob + gpusPerJob);
  return { CUDA_VISIBLE_DEVICES: mine.join(',') };
}
