/**
 * Connected agents as forecasts and explanations see them: what they can run, how fast, and why they take nothing.
 */
import type { Advertisement__Output, Throughput__Output } from '../../proto/gen/index.ts';
import { AgentState } from '../../proto/gen/index.ts';
import { openProfile } from '../queue/match.ts';
import type { Profile } from '../queue/match.ts';
import { conditionOf, profileKey } from './profiles.ts';
import type { RosterEntry } from './roster.ts';
import type { Session } from './session.ts';

/** Time per unit of cost of small and of large jobs, over that of all. */
export interface Drift {
  readonly small: number;
  readonly large: number;
  readonly samples: number;
}

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly profile: Profile;
  /** As its condition leaves it. */
  readonly open: Profile;
  /** Equal for equal open profiles. */
  readonly key: string;
  /** Jobs at once. */
  readonly slots: number;
  /** Jobs of a type at once. */
  readonly concurrencyOf: (type: string) => number;
  /** Jobs it holds. */
  readonly held: number;
  /** Jobs of a type it holds. */
  readonly heldOf: (type: string) => number;
  /** Cost a second of one running job; undefined = not known. */
  readonly throughputOf: (type: string) => number | undefined;
  /** How its run times compare to the declared cost, as it told them last: 1 = as declared; undefined = not known. */
  readonly driftOf: (type: string) => Drift | undefined;
  /** Why it takes nothing, as a stable code; '' = it does. */
  readonly closed: '' | 'draining' | 'paused' | 'quarantined' | 'closed';
  /** In words, completes "the agent …"; '' where it is open. */
  readonly closedWhy: string;
}

/** `told`: what its last heartbeat said. */
export function memberHere(session: Session, told: readonly Throughput__Output[]): Member {
  const { agentId, hello, condition, draining } = session;
  return {
    id: agentId,
    name: hello.name || agentId,
    profile: session.profile,
    open: session.openProfile,
    key: session.matchKey,
    ...slotsOf(hello.advertisement),
    held: session.held,
    heldOf: (type) => heldOfType(session.heldBy(), type),
    throughputOf: (type) => session.throughputOf(type) ?? rateIn(told, type),
    driftOf: (type) => driftIn(told, type),
    ...closedBy(draining, condition?.closed ?? ''),
  };
}

export function memberElsewhere({ id, profile, state, record }: RosterEntry): Member {
  const open = openProfile(profile, conditionOf(record.condition));
  return {
    id,
    name: record.name,
    profile,
    open,
    key: profileKey(open),
    ...slotsOf(record.advertisement),
    held: record.held,
    heldOf: (type) => heldOfType(Object.entries(record.heldBy), type),
    throughputOf: (type) => rateIn(record.throughput, type),
    driftOf: (type) => driftIn(record.throughput, type),
    ...closedBy(state === AgentState.AGENT_STATE_DRAINING, record.condition?.closed ?? ''),
  };
}

function slotsOf(advertisement: Advertisement__Output | null): Pick<Member, 'slots' | 'concurrencyOf'> {
  const slots = advertisement?.slots ?? 0;
  const executors = advertisement?.executors ?? [];
  return {
    slots,
    concurrencyOf: (type) => {
      const concurrency = executors.find((executor) => executor.type === type)?.concurrency ?? 0;
      return concurrency === 0 ? slots : Math.min(slots, concurrency);
    },
  };
}

function rateIn(told: readonly Throughput__Output[], type: string): number | undefined {
  const rate = told.find((figure) => figure.type === type)?.costPerSecond;
  return rate !== undefined && rate > 0 ? rate : undefined;
}

function closedBy(draining: boolean, closed: string): Pick<Member, 'closed' | 'closedWhy'> {
  if (draining) return { closed: 'draining', closedWhy: 'is draining' };
  if (closed !== '') return { closed: 'closed', closedWhy: `takes nothing: ${closed}` };
  return { closed: '', closedWhy: '' };
}

function driftIn(told: readonly Throughput__Output[], type: string): Drift | undefined {
  const figure = told.find((one) => one.type === type);
  if (figure === undefined || figure.smallJobsDrift === 0 || figure.largeJobsDrift === 0) return undefined;
  return { small: figure.smallJobsDrift, large: figure.largeJobsDrift, samples: figure.samples };
}

/** A queue's name begins with its type. */
function heldOfType(held: Iterable<readonly [queue: string, jobs: number]>, type: string): number {
  let sum = 0;
  for (const [queue, jobs] of held) if (queue === type || queue.startsWith(`${type}#`)) sum += jobs;
  return sum;
}
