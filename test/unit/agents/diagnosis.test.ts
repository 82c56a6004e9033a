/** The word for a process, from what its agent last said of it. */
import { expect, test } from 'vitest';
import { diagnose } from '../../../coordinator/agents/diagnosis.ts';
import type { StallWord } from '../../../coordinator/agents/diagnosis.ts';

const MIB = 1024 * 1024;
const job = { id: 'job_a', silentMs: 121_000 };

function record(cpu: number, memoryBytes: number, swapBytes: number, jobId = job.id) {
  return {
    telemetryAtMs: 10_000,
    telemetry: {
      cpuLoad: 0.5,
      memoryUsedBytes: 0,
      memoryTotalBytes: 0,
      diskFreeBytes: 0,
      gpus: [],
      processes: [{ pid: 7, type: 'x', cpu, memoryBytes, jobId, swapBytes }],
      running: 1,
      waiting: 0,
      loopDelayMs: 0,
    },
  };
}

test.each<[StallWord, number, number, number]>([
  ['busy', 0.98, 100 * MIB, 0],
  ['busy', 0.06, 100 * MIB, 99 * MIB],
  ['idle', 0.05, 100 * MIB, 0],
  ['idle', 0, 0, 0],
  ['swapped', 0.98, 100 * MIB, 100 * MIB],
  ['swapped', 0, 0, 1],
])('%s: %d cores, %d bytes in memory, %d on swap', (diagnosis, cpu, memoryBytes, swapBytes) => {
  expect(diagnose(job, record(cpu, memoryBytes, swapBytes), 131_000)).toEqual({
    silentMs: 121_000,
    diagnosis,
    cpu,
    memoryBytes,
    swapBytes,
    heartbeatAgeMs: 121_000,
  });
});

test('unknown: another job’s process, an agent that said nothing yet, an agent nobody knows', () => {
  const unknown = { silentMs: 121_000, diagnosis: 'unknown' };
  expect(diagnose(job, record(1, MIB, 0, 'job_b'), 12_000)).toEqual({ ...unknown, heartbeatAgeMs: 2000 });
  expect(diagnose(job, { telemetry: null, telemetryAtMs: 0 }, 12_000)).toEqual(unknown);
  expect(diagnose(job, undefined, 12_000)).toEqual(unknown);
});
