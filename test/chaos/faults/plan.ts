/**
 * Which faults a run has, and when: decided beforehand, from a seed alone.
 *
 * 1. No two faults on one target overlap, the time that the target needs to start again included.
 * 2. All begin after a short head start and are over before the last 15 % of the time, which are calm.
 * 3. Kinds are drawn by weight, but none twice before each has come once.
 * 4. Mostly one coordinator is whole; that both are down or frozen at once is allowed one time in four.
 */
import type { FleetNames } from '../fleet/fleet.ts';
import { FAULT_KINDS, KINDS } from './kinds.ts';
import type { FaultKind } from './kinds.ts';
import { seededRandom } from '../random.ts';
import type { Random } from '../random.ts';

export type { FaultKind } from './kinds.ts';

export interface Fault {
  /** Since the start of the run. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Name of a member or a link. */
  readonly target: string;
  readonly forMs: number;
  /** By how much the clock jumps, for 'clock-jump'. */
  readonly jumpMs?: number;
}

export interface PlanOptions {
  readonly seconds: number;
  /** Names by kind, links included: what `fleet.names()` says. */
  readonly members: FleetNames;
  readonly leaseMs: number;
  readonly allow: ReadonlySet<FaultKind>;
}

export const MEAN_GAP_MS = 700;
export const CALM_SHARE = 0.15;
const HEAD_START_MS = 300;
const TRIES = 30;
const BOTH_DOWN = 0.25;
const HOUR_MS = 3_600_000;
const JUMPS_MS = [-24 * HOUR_MS, -HOUR_MS, HOUR_MS, 24 * HOUR_MS];

export function planFaults(seed: number, options: PlanOptions): Fault[] {
  const random = seededRandom(seed);
  const kinds = FAULT_KINDS.filter(
    (kind) => options.allow.has(kind) && KINDS[kind].targets(options.members).length > 0,
  );
  const endMs = options.seconds * 1000 * (1 - CALM_SHARE);
  const count = Math.round((endMs - HEAD_START_MS) / MEAN_GAP_MS);
  const plan: Fault[] = [];
  // The longest first: they find room only while there is some.
  const first = drawAll(random, kinds, Math.min(count, kinds.length)).sort(byRoom);
  for (const kind of first) {
    const fault = place(random, kind, plan, { ...options, endMs });
    if (fault !== undefined) plan.push(fault);
  }
  for (let tries = 0; plan.length < count && tries < 2 * count && kinds.length > 0; tries += 1) {
    const kind = random.weighted(kinds.map((kind) => [kind, KINDS[kind].weight]));
    const fault = place(random, kind, plan, { ...options, endMs });
    if (fault !== undefined) plan.push(fault);
  }
  return plan.sort((one, other) => one.atMs - other.atMs);
}

/** So many of the kinds, by weight; all of them where there are no more. */
function drawAll(random: Random, kinds: readonly FaultKind[], count: number): FaultKind[] {
  const left = [...kinds];
  const drawn: FaultKind[] = [];
  while (drawn.length < count) {
    const kind = random.weighted(left.map((kind) => [kind, KINDS[kind].weight]));
    left.splice(left.indexOf(kind), 1);
    drawn.push(kind);
  }
  return drawn;
}

const ROOMY: readonly FaultKind[] = ['outage', 'freeze-agent', 'partition', 'freeze-redis', 'kill-redis'];

function byRoom(one: FaultKind, other: FaultKind): number {
  const rank = (kind: FaultKind): number => (ROOMY.includes(kind) ? ROOMY.indexOf(kind) : ROOMY.length);
  return rank(one) - rank(other);
}

/** A fault of this kind that breaks no rule, where one is found. */
function place(
  random: Random,
  kind: FaultKind,
  plan: readonly Fault[],
  { members, leaseMs, endMs }: PlanOptions & { readonly endMs: number },
): Fault | undefined {
  const rule = KINDS[kind];
  for (let tries = 0; tries < TRIES; tries += 1) {
    const forMs = Math.round(rule.leases(random) * leaseMs);
    const latestMs = Math.floor(endMs - forMs);
    if (latestMs < HEAD_START_MS) continue;
    const fault: Fault = {
      atMs: random.int(HEAD_START_MS, latestMs),
      kind,
      target: random.pick(rule.targets(members)),
      forMs,
      ...(kind === 'clock-jump' ? { jumpMs: random.pick(JUMPS_MS) } : {}),
    };
    if (plan.some((other) => other.target === fault.target && overlap(fault, other))) continue;
    if (downsCoordinator(kind) && !random.chance(BOTH_DOWN)) {
      if (plan.some((other) => downsCoordinator(other.kind) && overlap(fault, other))) continue;
    }
    return fault;
  }
  return undefined;
}

function downsCoordinator(kind: FaultKind): boolean {
  return kind === 'kill-coordinator' || kind === 'freeze-coordinator';
}

function overlap(one: Fault, other: Fault): boolean {
  return one.atMs < busyUntil(other) && other.atMs < busyUntil(one);
}

/** When the target can take the next fault. */
export function busyUntil({ atMs, forMs, kind }: Fault): number {
  return atMs + forMs + KINDS[kind].restMs;
}
