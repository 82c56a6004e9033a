/**
 * What is ahead of every queue, as of one moment: who can run it, and when its jobs will start.
 *
 * Siblings: `snapshot.ts` reads the queues, `simulate.ts` works them off, `forecasts.ts` answers for single jobs.
 *
 * Invariants:
 * 1. Made from one reading of the queues and the fleet as it is known here; answers are look-ups.
 * 2. An agent that has not told how fast it runs a step type counts with the median of those that have; where none has, when its
 *    jobs start is not known.
 */
import type { Member } from '../agents/members.ts';
import { canRun } from '../queue/match.ts';
import type { CapabilityClass } from '../queue/match.ts';
import { quantile } from './ratios.ts';
import { simulate, startInMs } from './simulate.ts';
import type { Curve, Server, WaitingClass } from './simulate.ts';
import { ageOf, jobsBefore, meanCost, orderAt } from './snapshot.ts';
import type { QueueNow } from './snapshot.ts';

/** One queue in one cell, with the fleet that works it. */
export interface QueueOutlook {
  readonly name: string;
  readonly need: CapabilityClass;
  readonly now: QueueNow | undefined;
  /** Of its jobs, where known, else 1. */
  readonly meanCost: number;
  readonly curve: Curve;
}

interface Group {
  readonly members: Member[];
  /** By class name: whether they take it now, and whether they ever could. */
  readonly open: Map<string, boolean>;
  readonly ever: Map<string, boolean>;
}

export interface OutlookInput {
  readonly at: number;
  readonly members: readonly Member[];
  readonly needs: ReadonlyMap<string, CapabilityClass>;
  /** By cell: what waits there. */
  readonly queues: readonly ReadonlyMap<string, QueueNow>[];
  readonly weightOf: (tenant: string) => number;
  /** Mean cost of jobs seen lately, where scores do not tell. */
  readonly seenCost: (name: string) => number | undefined;
}

const NO_CURVE: Curve = { taken: [], atMs: [] };

export class Outlook {
  readonly at: number;
  readonly #input: OutlookInput;
  readonly #groups: Group[];
  readonly #rates = new Map<string, number | undefined>();
  /** By cell, then class. */
  readonly #cells: Map<string, QueueOutlook>[];
  readonly #likely = new Map<string, Member | undefined>();

  constructor(input: OutlookInput) {
    this.at = input.at;
    this.#input = input;
    const groups = new Map<string, Group>();
    for (const member of input.members) {
      const group = groups.get(member.key);
      if (group === undefined)
        groups.set(member.key, { members: [member], open: new Map(), ever: new Map() });
      else group.members.push(member);
    }
    this.#groups = [...groups.values()];
    this.#cells = this.#work();
  }

  queue(cell: number, name: string): QueueOutlook | undefined {
    return this.#cells[cell]?.get(name);
  }

  /** Every queue that holds jobs. */
  *waiting(): Generator<QueueOutlook, void, undefined> {
    for (const cell of this.#cells) yield* cell.values();
  }

  /** Agents that could run a class, and those of them that take nothing now. */
  agentsOf(name: string): { readonly eligible: number; readonly closed: number } {
    let eligible = 0;
    let closed = 0;
    for (const group of this.#groups) {
      if (!this.#ever(group, name)) continue;
      eligible += group.members.length;
      if (!this.#open(group, name)) closed += group.members.length;
      else for (const member of group.members) if (member.closed !== '') closed++;
    }
    return { eligible, closed };
  }

  /** The agent most likely to claim a class's next job: free first, then the fastest. */
  likely(name: string): Member | undefined {
    if (this.#likely.has(name)) return this.#likely.get(name);
    let best: Member | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const group of this.#groups) {
      if (!this.#open(group, name)) continue;
      for (const member of group.members) {
        if (member.closed !== '') continue;
        const spacing = this.#spacing(member, name, 1) ?? Number.MAX_SAFE_INTEGER / 2;
        const type = this.#input.needs.get(name)?.type ?? '';
        const waits =
          Math.max(0, member.heldOf(type) + 1 - member.concurrencyOf(type)) * spacing + spacing / 1e6;
        if (waits >= least) continue;
        least = waits;
        best = member;
      }
    }
    this.#likely.set(name, best);
    return best;
  }

  /** Other queues of the cell that an agent takes from, too. */
  rivals(cell: number, name: string, agent: Member): QueueOutlook[] {
    const found: QueueOutlook[] = [];
    for (const queue of this.#cells[cell]?.values() ?? [])
      if (queue.name !== name && canRun(agent.open, queue.need).ok) found.push(queue);
    return found;
  }

  /** Milliseconds until the job starts that has so many jobs of its queue before it; undefined = not known. */
  startInMs(queue: QueueOutlook, before: number): number | undefined {
    return startInMs(queue.curve, before);
  }

  /** Milliseconds one job of a class runs on the agent most likely to take it; undefined = not known. */
  runMs(name: string, cost: number): number | undefined {
    const agent = this.likely(name);
    const need = this.#input.needs.get(name);
    if (agent === undefined || need === undefined) return undefined;
    const rate = this.#rate(agent, need.type);
    return rate === undefined ? undefined : (costOn(agent, need, cost) / rate) * 1000;
  }

  /** Cost a second that the agents which take a class now complete together, all slots busy. */
  throughputOf(name: string): number {
    const type = this.#input.needs.get(name)?.type ?? '';
    let sum = 0;
    for (const group of this.#groups) {
      if (!this.#open(group, name)) continue;
      for (const member of group.members)
        if (member.closed === '') sum += (this.#rate(member, type) ?? 0) * member.concurrencyOf(type);
    }
    return sum;
  }

  #ever(group: Group, name: string): boolean {
    return this.#asked(group.ever, name, (group.members[0] as Member).profile);
  }

  #open(group: Group, name: string): boolean {
    return this.#asked(group.open, name, (group.members[0] as Member).open);
  }

  #asked(known: Map<string, boolean>, name: string, profile: Member['profile']): boolean {
    let answer = known.get(name);
    if (answer === undefined) {
      const need = this.#input.needs.get(name);
      answer = need !== undefined && canRun(profile, need).ok;
      known.set(name, answer);
    }
    return answer;
  }

  #rate(member: Member, type: string): number | undefined {
    const own = member.throughputOf(type);
    if (own !== undefined) return own;
    if (!this.#rates.has(type)) {
      const known = this.#input.members.flatMap((other) => other.throughputOf(type) ?? []);
      const sorted = known.toSorted((a, b) => a - b);
      this.#rates.set(type, sorted.length === 0 ? undefined : quantile(sorted, 0.5));
    }
    return this.#rates.get(type);
  }

  /** Milliseconds from one job of a class to the next on this agent, all its slots busy. */
  #spacing(member: Member, name: string, cost: number): number | undefined {
    const need = this.#input.needs.get(name);
    if (need === undefined) return undefined;
    const rate = this.#rate(member, need.type);
    const concurrency = member.concurrencyOf(need.type);
    if (rate === undefined || concurrency === 0) return undefined;
    return (costOn(member, need, cost) / (rate * concurrency)) * 1000;
  }

  #work(): Map<string, QueueOutlook>[] {
    const { queues, needs, weightOf, seenCost } = this.#input;
    const held = queues.flatMap((cell, index) => {
      const oldest = Math.min(...[...cell.values()].map((now) => ageOf(orderAt(now, 0))));
      return [...cell].flatMap(([name, now]) => {
        const need = needs.get(name);
        if (need === undefined) return [];
        const cost = meanCost(now, weightOf(now.tenant ?? '')) ?? seenCost(name) ?? 1;
        // Ages of different cells begin anywhere: counted from the oldest in each they are of a kind.
        const order = (taken: number): number => orderAt(now, taken) - oldest;
        const waiting: WaitingClass = { jobs: now.jobs, orderAt: order };
        return [{ index, name, need, now, cost, waiting }];
      });
    });
    const curves =
      held.length === 0
        ? []
        : simulate(
            held.map(({ waiting }) => waiting),
            this.#servers(held),
          );
    const cells = queues.map(() => new Map<string, QueueOutlook>());
    held.forEach(({ index, name, need, now, cost }, at) => {
      cells[index]?.set(name, { name, need, now, meanCost: cost, curve: curves[at] ?? NO_CURVE });
    });
    return cells;
  }

  #servers(
    held: readonly { readonly name: string; readonly need: CapabilityClass; readonly cost: number }[],
  ): Server[] {
    const servers: Server[] = [];
    for (const group of this.#groups) {
      const serves = held.map(({ name }) => this.#open(group, name));
      if (!serves.includes(true)) continue;
      const types = [...new Set(held.filter((_, at) => serves[at]).map(({ need }) => need.type))];
      for (const member of group.members) {
        if (member.closed !== '' || member.slots === 0) continue;
        const spacingMs = held.map(({ name, cost }, at) =>
          serves[at] === true ? this.#spacing(member, name, cost) : undefined,
        );
        const known = spacingMs.filter((spacing) => spacing !== undefined);
        if (known.length === 0) continue;
        const typical = known.reduce((sum, spacing) => sum + spacing, 0) / known.length;
        // Slots that are of use to what waits: an agent may have many more for other types.
        const slots = Math.min(member.slots, sumOf(types, member.concurrencyOf));
        const free = Math.min(slots - sumOf(types, member.heldOf), member.slots - member.held);
        // All busy: of so many jobs that began at any time the first ends after that share of its run time.
        const freeInMs = free > 0 ? 0 : typical * (slots / (slots + 1) - free);
        servers.push({ freeInMs, burst: Math.max(0, free), spacingMs });
      }
    }
    return servers;
  }
}

/** Cost of a job of a class on an agent; `cost` is the step's. */
export function costOn(member: Member, need: CapabilityClass, cost: number): number {
  if (need.requirement?.alternatives.some((one) => one.cost > 0) !== true) return cost;
  const match = canRun(member.open, { ...need, cost });
  return match.ok && match.cost > 0 ? match.cost : cost;
}

/** Jobs of a queue that an agent takes before an entry of another queue with this order. */
export function rivalJobs({ now }: QueueOutlook, order: number): number {
  return now === undefined ? 0 : Math.round(jobsBefore(now, order));
}

function sumOf(types: readonly string[], of: (type: string) => number): number {
  return types.reduce((sum, type) => sum + of(type), 0);
}
