/** Times of a fleet, scaled down so that a run of a minute sees many leases end, as flags of the coordinator. */

export interface Times {
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly offerMs: number;
  readonly sweepMs: number;
  readonly maxRecoveries: number;
}

/** A fortieth of the default lease, heartbeat and sweep. */
export const SCALED_TIMES: Times = {
  heartbeatMs: 750,
  leaseMs: 3_000,
  offerMs: 1_500,
  sweepMs: 1_500,
  maxRecoveries: 3,
};

export function timeFlags(times: Times): string[] {
  return [
    ...['--heartbeat-interval', `${times.heartbeatMs}ms`],
    ...['--lease', `${times.leaseMs}ms`],
    ...['--offer-lease', `${times.offerMs}ms`],
    ...['--sweep-interval', `${times.sweepMs}ms`],
    ...['--max-recoveries', String(times.maxRecoveries)],
  ];
}
