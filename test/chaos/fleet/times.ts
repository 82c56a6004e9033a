/** Times of a fleet, scaled down so that a run of a minute sees many leases end, as flags of the coordinator. */
import { TIME_NAMES } from '../../../coordinator/times.ts';
import type { CoordinatorTimes } from '../../../coordinator/times.ts';

export type Times = CoordinatorTimes;

/** Lease, heartbeat and sweep are a fortieth of the default; what a busy machine needs to answer is more. */
export const SCALED_TIMES: Times = {
  heartbeatMs: 750,
  leaseMs: 3_000,
  offerMs: 1_500,
  sweepMs: 1_000,
  sweepSlackMs: 1_250,
  maxRecoveries: 3,
  avoidMs: 500,
  dueMs: 250,
  undecidedMs: 500,
  pollMs: 250,
  slowReaderMs: 5_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_500,
  quarantineMs: 2_000,
  quarantineMaxMs: 8_000,
};

export function timeFlags(times: Times): string[] {
  return (Object.keys(TIME_NAMES) as (keyof Times)[]).flatMap((key) => [
    `--${TIME_NAMES[key]}`,
    key.endsWith('Ms') ? `${times[key]}ms` : String(times[key]),
  ]);
}
