/**
 * Why nobody runs a class, and why an agent gets nothing. Pure.
 *
 * Invariants:
 * 1. Each agent is counted under the first thing that stands against it, in the order of PREDICATES and then of what is only so now.
 * 2. The nearest miss is the agent that came furthest; of equal ones the one that lacks the least share, then the first by name.
 */
import type { Member } from '../agents/members.ts';
import { PREDICATES, canRun, requirementInWords } from '../queue/match.ts';
import type { CapabilityClass, PredicateName } from '../queue/match.ts';

/** What can stand against an agent that could run the class. */
const FOR_NOW = [
  'type_paused',
  'vram_busy',
  'closed',
  'paused',
  'quarantined',
  'draining',
  'no_slot',
] as const;
export type Obstacle = PredicateName | (typeof FOR_NOW)[number];

const ORDER: readonly Obstacle[] = [...PREDICATES, ...FOR_NOW];

export interface Missed {
  readonly reason: Obstacle;
  readonly agents: number;
  /** Completes "the agent …". */
  readonly example: string;
  readonly exampleAgentId: string;
}

export interface Nearest {
  readonly agentId: string;
  readonly agentName: string;
  readonly reason: Obstacle;
  readonly message: string;
  readonly advice: string;
}

export interface Explained {
  /** Most agents first. */
  readonly missed: readonly Missed[];
  /** Undefined where an agent can run it, or there is none at all. */
  readonly nearest: Nearest | undefined;
  /** Agents that can run it and take jobs now. */
  readonly open: readonly Member[];
  /** Connected agents that could run it. */
  readonly eligible: number;
}

/** What stands between an agent and a class; undefined = nothing. */
export function obstacle(
  member: Member,
  need: CapabilityClass,
): { readonly reason: Obstacle; readonly message: string; readonly short: number } | undefined {
  const ever = canRun(member.profile, need);
  if (!ever.ok) return { reason: ever.predicate, message: ever.message, short: ever.short };
  const now = canRun(member.open, need);
  if (!now.ok)
    return now.predicate === 'type'
      ? { reason: 'type_paused', message: `has paused ${need.type}`, short: 0 }
      : { reason: 'vram_busy', message: `${now.message} (other jobs have the rest)`, short: 0 };
  if (member.closed !== '') return { reason: member.closed, message: member.closedWhy, short: 0 };
  const { held, slots } = member;
  const concurrency = member.concurrencyOf(need.type);
  if (held >= slots || member.heldOf(need.type) >= concurrency) {
    const message =
      held >= slots
        ? `has all of its ${slots} slots taken`
        : `runs ${concurrency} jobs of ${need.type}, as many as it may`;
    return { reason: 'no_slot', message, short: 0 };
  }
  return undefined;
}

export function explainClass(need: CapabilityClass, members: readonly Member[]): Explained {
  const groups = new Map<Obstacle, { agents: number; example: string; exampleAgentId: string }>();
  const open: Member[] = [];
  let eligible = 0;
  let nearest:
    | { member: Member; reason: Obstacle; message: string; depth: number; short: number }
    | undefined;
  for (const member of members) {
    const against = obstacle(member, need);
    if (against === undefined) {
      open.push(member);
      eligible++;
      continue;
    }
    const { reason, message, short } = against;
    const depth = ORDER.indexOf(reason);
    if (depth >= PREDICATES.length) eligible++;
    const group = groups.get(reason);
    if (group === undefined) groups.set(reason, { agents: 1, example: message, exampleAgentId: member.id });
    else group.agents++;
    if (nearest === undefined || isNearer({ depth, short, member }, nearest))
      nearest = { member, reason, message, depth, short };
  }
  const missed = [...groups].map(([reason, group]) => ({ reason, ...group }));
  return {
    missed: missed.sort((a, b) => b.agents - a.agents || ORDER.indexOf(a.reason) - ORDER.indexOf(b.reason)),
    nearest:
      nearest === undefined || eligible > 0
        ? undefined
        : {
            agentId: nearest.member.id,
            agentName: nearest.member.name,
            reason: nearest.reason,
            message: nearest.message,
            advice: adviceFor(nearest.reason, need),
          },
    open,
    eligible,
  };
}

interface Distance {
  readonly depth: number;
  readonly short: number;
  readonly member: Member;
}

function isNearer(one: Distance, other: Distance): boolean {
  if (one.depth !== other.depth) return one.depth > other.depth;
  return one.short === other.short ? one.member.name < other.member.name : one.short < other.short;
}

/** Why no connected agent can run a class, in one sentence; empty where one can. */
export function unrunnableReason(need: CapabilityClass, members: readonly Member[]): string {
  const wanted = requirementInWords(need.type, need.requirement);
  if (members.length === 0) return `No agent is connected; needed: ${wanted}.`;
  const { eligible, nearest } = explainClass(need, members);
  if (eligible > 0 || nearest === undefined) return '';
  return `None of ${members.length} connected agents can run ${wanted}; the nearest, ${nearest.agentName}, ${nearest.message}.`;
}

function adviceFor(reason: Obstacle, { type, requirement }: CapabilityClass): string {
  switch (reason) {
    case 'type':
      return `Connect an agent with an executor for ${type}.`;
    case 'label':
      return 'Start an agent with the label, or submit without it.';
    case 'model':
      return `Give an executor of ${type} the model ${(requirement?.models ?? []).join(', ')}.`;
    case 'gpus':
    case 'gpu_model':
    case 'vram':
      return 'Connect a box with such GPUs, or add an alternative that needs less.';
    case 'cpu':
    case 'memory':
    case 'disk':
      return 'Connect a larger box, or add an alternative that needs less.';
    case 'type_paused':
    case 'closed':
    case 'paused':
      return 'Resume it.';
    case 'vram_busy':
    case 'no_slot':
      return 'Wait for its jobs, or add agents.';
    case 'quarantined':
      return 'Mend it and release it.';
    case 'draining':
      return 'Start another agent.';
  }
}

export interface Skipped {
  readonly reason: Obstacle;
  readonly jobs: number;
  readonly example: string;
  readonly exampleQueue: string;
}

/** Waiting jobs an agent does not take, by the first thing that stands against them, most jobs first. */
export function explainAgent(
  member: Member,
  queues: readonly { readonly name: string; readonly need: CapabilityClass; readonly jobs: number }[],
): { readonly skipped: readonly Skipped[]; readonly runnable: number } {
  const groups = new Map<Obstacle, { jobs: number; example: string; exampleQueue: string }>();
  let runnable = 0;
  for (const { name, need, jobs } of queues) {
    if (jobs === 0) continue;
    const against = obstacle(member, need);
    if (against === undefined) {
      runnable += jobs;
      continue;
    }
    const group = groups.get(against.reason);
    if (group === undefined)
      groups.set(against.reason, { jobs, example: against.message, exampleQueue: name });
    else group.jobs += jobs;
  }
  const skipped = [...groups].map(([reason, group]) => ({ reason, ...group }));
  return { skipped: skipped.sort((a, b) => b.jobs - a.jobs), runnable };
}
