/**
 * The kinds of faults: how often, on what, and for how long.
 *
 * Lengths are in leases, since it is the end of a lease that makes a short fault another one than a long one.
 */
import type { FleetNames } from '../fleet/fleet.ts';
import type { Random } from '../random.ts';

export type FaultKind =
  | 'kill-coordinator'
  | 'freeze-coordinator'
  | 'kill-agent'
  | 'freeze-agent'
  | 'term-agent'
  | 'kill-consumer'
  | 'freeze-consumer'
  | 'kill-redis'
  | 'freeze-redis'
  | 'cut'
  | 'cut-before'
  | 'cut-after'
  | 'partition'
  | 'clock-jump'
  | 'outage';

interface KindRule {
  /** How often, compared with others. */
  readonly weight: number;
  readonly targets: (names: FleetNames) => readonly string[];
  readonly leases: (random: Random) => number;
  /** The target needs this long afterwards to be itself again. */
  readonly restMs: number;
}

/** A process of this kind takes its time to start. */
const RESTART_MS = 1_500;
const REDIS_RESTART_MS = 1_000;
const REST_MS = 100;
/** Redis away for 90, 100 and 130 s where a lease is 120 s. */
const OUTAGES = [0.75, 0.83, 1.08];

const short = (random: Random): number => random.between(0.05, 0.4);
const shortOrLong = (random: Random): number =>
  random.chance(0.45) ? random.between(1.2, 2) : random.between(0.05, 0.5);

export const KINDS: Readonly<Record<FaultKind, KindRule>> = {
  'kill-coordinator': kill('coordinator', 4, RESTART_MS),
  'freeze-coordinator': {
    weight: 3,
    targets: (names) => names.coordinator,
    leases: (random) => (random.chance(0.2) ? random.between(1.1, 1.4) : short(random)),
    restMs: REST_MS,
  },
  'kill-agent': kill('agent', 4, RESTART_MS),
  'freeze-agent': { weight: 5, targets: (names) => names.agent, leases: shortOrLong, restMs: REST_MS },
  'term-agent': kill('agent', 3, RESTART_MS),
  'kill-consumer': kill('consumer', 3, RESTART_MS),
  'freeze-consumer': { weight: 2, targets: (names) => names.consumer, leases: short, restMs: REST_MS },
  'kill-redis': { ...kill('redis', 1.5, REDIS_RESTART_MS), leases: (random) => random.between(0.02, 0.2) },
  'freeze-redis': { weight: 1.5, targets: (names) => names.redis, leases: short, restMs: REST_MS },
  cut: { weight: 4, targets: (names) => names.link, leases: () => 0, restMs: REST_MS },
  'cut-before': armed(4),
  'cut-after': armed(6),
  partition: { weight: 4, targets: (names) => names.link, leases: shortOrLong, restMs: REST_MS },
  'clock-jump': {
    weight: 2,
    targets: ({ coordinator, agent, consumer }) => [...coordinator, ...agent, ...consumer],
    leases: (random) => random.between(0.1, 0.6),
    restMs: REST_MS,
  },
  outage: {
    weight: 0.7,
    targets: (names) => names.redis,
    leases: (random) => random.pick(OUTAGES),
    restMs: REDIS_RESTART_MS,
  },
};

export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[];

/** It is down for a while, then started again. */
function kill(
  kind: 'coordinator' | 'agent' | 'consumer' | 'redis',
  weight: number,
  restMs: number,
): KindRule {
  return { weight, targets: (names) => names[kind], leases: short, restMs };
}

/** It waits for a request for so long. */
function armed(weight: number): KindRule {
  return { weight, targets: (names) => names.link, leases: () => 0.15, restMs: REST_MS };
}
