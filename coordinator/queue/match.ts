/**
 * Whether an agent can run the jobs of a class, at what cost, and if not, why not, in words.
 *
 * Two chains of named predicates: one over the agent as a whole, one over each hardware alternative. A new rule is
 * one more link. Each link answers null (passes) or a sentence that completes "the agent …".
 *
 * Invariants:
 * 1. Alternatives are chosen by ascending cost; of equal ones the first.
 * 2. A refusal names the link that the alternative which came furthest failed at: the nearest miss.
 * 3. Requirements come in their one form (`classes.ts`).
 * 4. What an agent can do right now is `canRun` of its profile as its condition leaves it (`openProfile`): what is ruled out
 *    by the condition alone passes with the profile itself.
 */
import type { HardwareNeed, LabelNeed, Requirement } from '../workflow/plan.ts';

/** What matching knows of an agent. Agents with equal profiles match alike. */
export interface Profile {
  readonly types: ReadonlySet<string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly gpus: readonly { readonly vramBytes: number; readonly model: string }[];
  readonly cpuCores: number;
  readonly memoryBytes: number;
  /** In whole GiB. */
  readonly diskBytes: number;
  /** `modelKey` of each model it can provide. */
  readonly models: ReadonlySet<string>;
}

/** What comes and goes by itself. */
export interface AgentCondition {
  /** Of each GPU of the profile; empty = all of it. */
  readonly gpuFreeBytes: readonly number[];
  readonly pausedTypes: readonly string[];
}

export interface CapabilityClass {
  readonly type: string;
  readonly requirement: Requirement | null;
  /** Cost of the step, where it is known: what an alternative without a cost of its own is compared by. */
  readonly cost?: number;
}

/** In the order in which they are asked. */
export const PREDICATES = [
  'type',
  'label',
  'model',
  'gpus',
  'gpu_model',
  'vram',
  'cpu',
  'memory',
  'disk',
] as const;
export type PredicateName = (typeof PREDICATES)[number];

/** `cost`: of the job on that agent; 0 = the step's own. */
export type Match =
  | { readonly ok: true; readonly cost: number }
  | {
      readonly ok: false;
      readonly predicate: PredicateName;
      readonly message: string;
      /** Share that is missing, of what can be counted: 0.7 where 24 GiB are there and 80 needed; else 1. */
      readonly short: number;
    };

interface Link<Wanted> {
  readonly name: PredicateName;
  /** Null = passes. */
  readonly refuses: (profile: Profile, wanted: Wanted) => string | null;
  /** What is there and what is needed, where both are amounts. */
  readonly amounts?: (profile: Profile, wanted: Wanted) => readonly [has: number, needed: number];
}

const AGENT_CHAIN: readonly Link<CapabilityClass>[] = [
  {
    name: 'type',
    refuses: (profile, { type }) => (profile.types.has(type) ? null : `has no executor for ${type}`),
  },
  { name: 'label', refuses: (profile, { requirement }) => missingLabel(profile, requirement) },
  { name: 'model', refuses: missingModel },
];

const HARDWARE_CHAIN: readonly Link<HardwareNeed>[] = [
  {
    name: 'gpus',
    refuses: ({ gpus }, need) =>
      gpus.length >= need.gpus ? null : `has ${count(gpus.length, 'GPU')}, ${need.gpus} needed`,
    amounts: ({ gpus }, need) => [gpus.length, need.gpus],
  },
  { name: 'gpu_model', refuses: missingGpuModel },
  {
    name: 'vram',
    refuses: missingVram,
    amounts: ({ gpus }, need) => [Math.max(0, ...gpus.map(({ vramBytes }) => vramBytes)), need.vramBytes],
  },
  {
    name: 'cpu',
    refuses: ({ cpuCores }, need) =>
      cpuCores >= need.cpuCores ? null : `has ${count(cpuCores, 'CPU core')}, ${need.cpuCores} needed`,
    amounts: ({ cpuCores }, need) => [cpuCores, need.cpuCores],
  },
  {
    name: 'memory',
    refuses: ({ memoryBytes }, need) =>
      memoryBytes >= need.memoryBytes
        ? null
        : `has ${gib(memoryBytes)} of memory, ${gib(need.memoryBytes)} needed`,
    amounts: ({ memoryBytes }, need) => [memoryBytes, need.memoryBytes],
  },
  {
    name: 'disk',
    refuses: ({ diskBytes }, { diskBytes: needed = 0 }) =>
      diskBytes >= needed ? null : `has ${gib(diskBytes)} of free disk, ${gib(needed)} needed`,
    amounts: ({ diskBytes }, need) => [diskBytes, need.diskBytes ?? 0],
  },
];

/** Cost when the step's is not known: it then counts as the default. */
const ASSUMED_COST = 1;

export function canRun(profile: Profile, klass: CapabilityClass): Match {
  for (const link of AGENT_CHAIN) {
    const message = link.refuses(profile, klass);
    if (message !== null) return { ok: false, predicate: link.name, message, short: 1 };
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
      const { name, amounts } = HARDWARE_CHAIN[link] as Link<HardwareNeed>;
      const [has, needed] = amounts?.(profile, need) ?? [0, 1];
      miss = { ok: false, predicate: name, message, short: Math.max(0, 1 - has / needed) };
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

/** The profile without what the condition rules out. */
export function openProfile(profile: Profile, { gpuFreeBytes, pausedTypes }: AgentCondition): Profile {
  if (gpuFreeBytes.length === 0 && pausedTypes.length === 0) return profile;
  const paused = new Set(pausedTypes);
  return {
    ...profile,
    types:
      paused.size === 0 ? profile.types : new Set([...profile.types].filter((type) => !paused.has(type))),
    gpus: profile.gpus.map(({ model, vramBytes }, index) => ({
      model,
      vramBytes: Math.min(vramBytes, gpuFreeBytes[index] ?? vramBytes),
    })),
  };
}

/** Names a model as one step type's: what another type's executor has is of no use. */
export function modelKey(type: string, model: string): string {
  return `${type} ${model}`;
}

function missingLabel(profile: Profile, requirement: Requirement | null): string | null {
  if (requirement === null) return null;
  for (const name of Object.keys(requirement.labels)) {
    const wanted = requirement.labels[name];
    if (!Object.hasOwn(profile.labels, name)) return `has no label ${name}, ${name}=${wanted} needed`;
    if (profile.labels[name] !== wanted)
      return `has label ${name}=${profile.labels[name]}, ${name}=${wanted} needed`;
  }
  for (const need of requirement.labelNeeds ?? []) {
    const value = Object.hasOwn(profile.labels, need.name) ? profile.labels[need.name] : undefined;
    if (holds(need, value)) continue;
    return `has ${value === undefined ? `no label ${need.name}` : `label ${need.name}=${value}`}, ${inWords(need)} needed`;
  }
  return null;
}

function holds({ operator, values }: LabelNeed, value: string | undefined): boolean {
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case 'notExists':
      return value === undefined;
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notIn':
      return value === undefined || !values.includes(value);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return value !== undefined && isNumber(value) && compares(Number(value), operator, Number(values[0]));
  }
}

function compares(value: number, operator: '<' | '<=' | '>' | '>=', other: number): boolean {
  if (value === other) return operator === '<=' || operator === '>=';
  return value < other === (operator === '<' || operator === '<=');
}

/** A decimal number, as labels are compared. */
export function isNumber(text: string): boolean {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text);
}

/** A condition on a label as people read it: `zone in eu, us`. */
function inWords({ name, operator, values }: LabelNeed): string {
  switch (operator) {
    case 'in':
      return `${name} in ${values.join(', ')}`;
    case 'notIn':
      return `${name} not in ${values.join(', ')}`;
    case 'exists':
      return `a label ${name}`;
    case 'notExists':
      return `no label ${name}`;
    case '<':
    case '<=':
    case '>':
    case '>=':
      return `${name} ${operator} ${values[0]}`;
  }
}

function missingModel({ models }: Profile, { type, requirement }: CapabilityClass): string | null {
  const missing = requirement?.models?.find((model) => !models.has(modelKey(type, model)));
  return missing === undefined ? null : `has no model ${missing} for ${type}`;
}

function isOneOf(model: string, wanted: readonly string[] | undefined): boolean {
  if (wanted === undefined) return true;
  const name = model.toLowerCase();
  return wanted.some((part) => name.includes(part));
}

function missingGpuModel({ gpus }: Profile, need: HardwareNeed): string | null {
  if (need.gpuModels === undefined) return null;
  const wanted = Math.max(need.gpus, 1);
  const fit = gpus.filter(({ model }) => isOneOf(model, need.gpuModels)).length;
  if (fit >= wanted) return null;
  const has =
    gpus.length === 0 ? 'no GPU' : `GPUs ${[...new Set(gpus.map(({ model }) => model))].join(', ')}`;
  return `has ${has}, ${wanted} of ${need.gpuModels.join(', ')} needed`;
}

function missingVram({ gpus }: Profile, need: HardwareNeed): string | null {
  if (need.vramBytes === 0) return null;
  // Memory without a number of GPUs means one.
  const wanted = Math.max(need.gpus, 1);
  const usable = gpus.filter(({ model }) => isOneOf(model, need.gpuModels));
  const large = usable.filter((gpu) => gpu.vramBytes >= need.vramBytes).length;
  if (large >= wanted) return null;
  const largest = usable.reduce((most, gpu) => Math.max(most, gpu.vramBytes), 0);
  return `has ${count(large, 'GPU')} with ${gib(need.vramBytes)} (the largest has ${gib(largest)}), ${wanted} needed`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

/** Enough digits to tell 24 GiB from the 23.99 a driver reports. */
function gib(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toFixed(2))} GiB`;
}

/** A requirement as people read it. */
export function requirementInWords(type: string, requirement: Requirement | null): string {
  const parts = [type];
  if (requirement !== null) {
    for (const [name, value] of Object.entries(requirement.labels)) parts.push(`${name}=${value}`);
    for (const need of requirement.labelNeeds ?? []) parts.push(inWords(need));
    for (const model of requirement.models ?? []) parts.push(`model ${model}`);
    const alternatives = requirement.alternatives.map(needInWords);
    if (alternatives.length > 0) parts.push(alternatives.join(' or '));
  }
  return parts.join(', ');
}

function needInWords(need: HardwareNeed): string {
  const parts = [];
  const models = need.gpuModels === undefined ? '' : ` (${need.gpuModels.join(' or ')})`;
  if (need.gpus > 0 || need.vramBytes > 0)
    parts.push(
      `${count(Math.max(need.gpus, 1), 'GPU')}${models}${need.vramBytes > 0 ? ` with ${gib(need.vramBytes)}` : ''}`,
    );
  if (need.cpuCores > 0) parts.push(count(need.cpuCores, 'CPU core'));
  if (need.memoryBytes > 0) parts.push(`${gib(need.memoryBytes)} of memory`);
  if ((need.diskBytes ?? 0) > 0) parts.push(`${gib(need.diskBytes ?? 0)} of free disk`);
  if (parts.length === 0) parts.push('any hardware');
  return `${parts.join(' and ')}${need.cost > 0 ? ` at cost ${need.cost}` : ''}`;
}
