/**
 * Whether an agent can run the jobs of a class, at what cost, and if not, why not, in words.
 *
 * Two chains of named predicates: one over the agent as a whole, one over each hardware alternative. A new rule is
 * one more link. Each link answers null (passes) or a sentence that completes "the agent …".
 *
 * Invariants:
 * 1. Alternatives are chosen by ascending cost; of equal ones the first.
 * 2. A refusal names the link that the alternative which came furthest failed at: the nearest miss.
 */
import type { HardwareNeed, Requirement } from '../workflow/plan.ts';

/** What matching knows of an agent. Agents with equal profiles match alike. */
export interface Profile {
  readonly types: ReadonlySet<string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly gpus: readonly { readonly vramBytes: number }[];
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

export interface CapabilityClass {
  readonly type: string;
  readonly requirement: Requirement | null;
  /** Cost of the step, where it is known: what an alternative without a cost of its own is compared by. */
  readonly cost?: number;
}

export type PredicateName = 'type' | 'label' | 'gpus' | 'vram' | 'cpu' | 'memory';

/** `cost`: of the job on that agent; 0 = the step's own. */
export type Match =
  | { readonly ok: true; readonly cost: number }
  | { readonly ok: false; readonly predicate: PredicateName; readonly message: string };

interface Link<Wanted> {
  readonly name: PredicateName;
  /** Null = passes. */
  readonly refuses: (profile: Profile, wanted: Wanted) => string | null;
}

const AGENT_CHAIN: readonly Link<CapabilityClass>[] = [
  {
    name: 'type',
    refuses: (profile, { type }) => (profile.types.has(type) ? null : `has no executor for ${type}`),
  },
  { name: 'label', refuses: (profile, { requirement }) => missingLabel(profile, requirement) },
];

const HARDWARE_CHAIN: readonly Link<HardwareNeed>[] = [
  {
    name: 'gpus',
    refuses: ({ gpus }, need) =>
      gpus.length >= need.gpus ? null : `has ${count(gpus.length, 'GPU')}, ${need.gpus} needed`,
  },
  { name: 'vram', refuses: missingVram },
  {
    name: 'cpu',
    refuses: ({ cpuCores }, need) =>
      cpuCores >= need.cpuCores ? null : `has ${count(cpuCores, 'CPU core')}, ${need.cpuCores} needed`,
  },
  {
    name: 'memory',
    refuses: ({ memoryBytes }, need) =>
      memoryBytes >= need.memoryBytes
        ? null
        : `has ${gib(memoryBytes)} of memory, ${gib(need.memoryBytes)} needed`,
  },
];

/** Cost when the step's is not known: it then counts as the default. */
const ASSUMED_COST = 1;

export function canRun(profile: Profile, klass: CapabilityClass): Match {
  for (const link of AGENT_CHAIN) {
    const message = link.refuses(profile, klass);
    if (message !== null) return { ok: false, predicate: link.name, message };
  }
  const alternatives = klass.requirement?.alternatives ?? [];
  const ownCost = klass.cost ?? 0;
  if (alternatives.length === 0) return { ok: true, cost: ownCost };
  return cheapestFit(profile, alternatives, ownCost);
}

function cheapestFit(profile: Profile, alternatives: readonly HardwareNeed[], ownCost: number): Match {
  let fit: number | undefined;
  let least = Number.POSITIVE_INFINITY;
  let furthest = -1;
  let miss: Match | undefined;
  for (const need of alternatives) {
    const cost = need.cost > 0 ? need.cost : ownCost;
    const compared = cost > 0 ? cost : ASSUMED_COST;
    if (compared >= least) continue;
    const [link, message] = firstRefusal(profile, need);
    if (message === null) {
      fit = cost;
      least = compared;
    } else if (link > furthest) {
      furthest = link;
      miss = { ok: false, predicate: (HARDWARE_CHAIN[link] as Link<HardwareNeed>).name, message };
    }
  }
  return fit !== undefined || miss === undefined ? { ok: true, cost: fit ?? ownCost } : miss;
}

function firstRefusal(profile: Profile, need: HardwareNeed): [link: number, message: string | null] {
  for (let link = 0; link < HARDWARE_CHAIN.length; link++) {
    const message = (HARDWARE_CHAIN[link] as Link<HardwareNeed>).refuses(profile, need);
    if (message !== null) return [link, message];
  }
  return [HARDWARE_CHAIN.length, null];
}

function missingLabel(profile: Profile, requirement: Requirement | null): string | null {
  if (requirement === null) return null;
  for (const name of Object.keys(requirement.labels)) {
    const wanted = requirement.labels[name];
    if (!Object.hasOwn(profile.labels, name)) return `has no label ${name}, ${name}=${wanted} needed`;
    if (profile.labels[name] !== wanted)
      return `has label ${name}=${profile.labels[name]}, ${name}=${wanted} needed`;
  }
  return null;
}

function missingVram({ gpus }: Profile, need: HardwareNeed): string | null {
  if (need.vramBytes === 0) return null;
  // Memory without a number of GPUs means one.
  const wanted = Math.max(need.gpus, 1);
  const large = gpus.filter((gpu) => gpu.vramBytes >= need.vramBytes).length;
  if (large >= wanted) return null;
  const largest = gpus.reduce((most, gpu) => Math.max(most, gpu.vramBytes), 0);
  return `has ${count(large, 'GPU')} with ${gib(need.vramBytes)} (the largest has ${gib(largest)}), ${wanted} needed`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

/** Enough digits to tell 24 GiB from the 23.99 a driver reports. */
function gib(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toFixed(2))} GiB`;
}
