/** Results the claim loop makes itself: of jobs that never ran, and of outputs that cannot travel. Pure. */
import type { CancelReason, JobResult } from '../jobs/contract.ts';

const CANCELED_AS = {
  user: { reason: 'CANCELED_BY_USER', message: 'Canceled before it started.' },
  fail_fast: { reason: 'FAIL_FAST', message: 'Stopped because another step failed, before it started.' },
  deadline: { reason: 'DEADLINE_EXCEEDED_QUEUED', message: 'Ran out of time before it started.' },
  lease_lost: { reason: 'LEASE_LOST', message: 'The lease was lost before it started.' },
  shutdown: { reason: 'CANCELED_BY_USER', message: 'The agent stopped before it started.' },
} as const satisfies Record<CancelReason, { reason: string; message: string }>;

/** A job canceled while it waited in the local queue. */
export function canceledUnstarted(reason: CancelReason): JobResult {
  return { verdict: 'canceled', outputJson: '', ...CANCELED_AS[reason], runMs: 0, blockedReason: '' };
}

/** What becomes of a result whose output is larger than the coordinator takes; undefined = it fits. */
export function oversized(result: JobResult, maxBytes: number): JobResult | undefined {
  // Three bytes is the most UTF-8 needs for one UTF-16 unit: short outputs are never measured.
  if (result.outputJson.length * 3 <= maxBytes) return undefined;
  const bytes = Buffer.byteLength(result.outputJson);
  if (bytes <= maxBytes) return undefined;
  return {
    verdict: 'fatal',
    outputJson: '',
    reason: 'OUTPUT_TOO_LARGE',
    message: `The output has ${bytes} bytes, at most ${maxBytes} are taken; return large data as artifacts.`,
    runMs: result.runMs,
    blockedReason: '',
  };
}
