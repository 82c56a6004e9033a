/**
 * Capability classes: jobs any agent serves alike stand in one queue, named by step type and requirement.
 *
 * A requirement is first brought to one form: defaults dropped, names sorted, alternatives sorted, those that can
 * never be chosen left out. Equal meaning gives equal text, equal text gives an equal name.
 *
 * Invariants:
 * 1. The name without a requirement is the step type itself. A type has no `#`, so the two kinds never meet.
 * 2. The text of a class, and so its name, never changes between releases: queues outlive coordinators.
 * 3. The 60-bit hash spreads by chance, it does not withstand an adversary. Whoever stores name → text must refuse
 *    a second text for a name.
 */
import { LABEL_OPERATORS } from '../workflow/plan.ts';
import type { HardwareNeed, LabelNeed, Requirement } from '../workflow/plan.ts';

const HASH_DIGITS = '0123456789abcdefghijklmnopqrstuv';

/** Name of the queue that jobs of this type and requirement stand in: `image.upscale` or `image.upscale#4f0c91m2k7qa`. */
export function queueName(type: string, requirement: Requirement | null): string {
  if (requirement === null) return type;
  const text = canonicalRequirement(requirement);
  return text === '' ? type : `${type}#${hash60(text)}`;
}

/** The one text of a requirement: JSON, or empty where nothing is required. */
export function canonicalRequirement(requirement: Requirement | null): string {
  const plain = requirement === null ? null : normalizeRequirement(requirement);
  if (plain === null) return '';
  const alternatives = plain.alternatives.map(withoutDefaults);
  const parts = [];
  if (Object.keys(plain.labels).length > 0) parts.push(`"labels":${JSON.stringify(plain.labels)}`);
  if (alternatives.length > 0) parts.push(`"alternatives":${JSON.stringify(alternatives)}`);
  if (plain.labelNeeds !== undefined) parts.push(`"labelNeeds":${JSON.stringify(plain.labelNeeds)}`);
  if (plain.models !== undefined) parts.push(`"models":${JSON.stringify(plain.models)}`);
  return `{${parts.join(',')}}`;
}

/** Reads what `canonicalRequirement` wrote. Throws on text it did not write. */
export function parseCanonicalRequirement(text: string): Requirement | null {
  if (text === '') return null;
  const {
    labels = {},
    alternatives = [],
    ...rest
  } = JSON.parse(text) as Partial<Requirement> & { alternatives?: Partial<HardwareNeed>[] };
  return { labels, alternatives: alternatives.map((need) => ({ ...NOTHING, ...need })), ...rest };
}

const NOTHING: HardwareNeed = { gpus: 0, vramBytes: 0, cpuCores: 0, memoryBytes: 0, cost: 0 };

/** The requirement in its one form; null where every agent with the step type will do, at the step's cost. */
export function normalizeRequirement(requirement: Requirement): Requirement | null {
  const { labels, needs } = normalizeLabels(requirement);
  const models = [...new Set(requirement.models)].sort();
  const alternatives = normalizeAlternatives(requirement.alternatives);
  const names = Object.keys(labels).sort();
  if (names.length + needs.length + models.length + alternatives.length === 0) return null;
  return {
    labels: Object.fromEntries(names.map((name) => [name, labels[name] ?? ''])),
    alternatives,
    ...(needs.length > 0 && { labelNeeds: needs }),
    ...(models.length > 0 && { models }),
  };
}

/** One value to choose from is that value; a label that must equal something is there. */
function normalizeLabels({ labels: given, labelNeeds = [] }: Requirement): {
  labels: Record<string, string>;
  needs: readonly LabelNeed[];
} {
  const labels: Record<string, string> = { ...given };
  const needs = new Map<string, LabelNeed>();
  for (const { name, operator, values } of labelNeeds) {
    const chosen = operator === 'in' || operator === 'notIn' ? [...new Set(values)].sort() : values;
    const [only] = chosen;
    if (operator === 'in' && chosen.length === 1 && only !== undefined) {
      if (!Object.hasOwn(labels, name)) labels[name] = only;
      if (labels[name] === only) continue;
    }
    const need: LabelNeed = { name, operator, values: chosen };
    needs.set(JSON.stringify([name, LABEL_OPERATORS.indexOf(operator), chosen]), need);
  }
  const kept = [...needs.entries()].filter(
    ([, { name, operator }]) => operator !== 'exists' || !Object.hasOwn(labels, name),
  );
  return { labels, needs: kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, need]) => need) };
}

function normalizeAlternatives(given: readonly HardwareNeed[]): readonly HardwareNeed[] {
  const needs = given.map(normalizeNeed).sort(compareNeeds);
  // Sorted, whatever makes another one superfluous stands before it.
  const kept: HardwareNeed[] = [];
  for (const need of needs) if (!kept.some((other) => makesSuperfluous(other, need))) kept.push(need);
  const [only] = kept;
  return kept.length === 1 && only !== undefined && compareNeeds(only, NOTHING) === 0 ? [] : kept;
}

/** Memory or model of GPUs without a number of GPUs means one. */
function normalizeNeed(need: HardwareNeed): HardwareNeed {
  const { gpus, vramBytes, cpuCores, memoryBytes, cost, diskBytes = 0 } = need;
  const gpuModels = [...new Set((need.gpuModels ?? []).map((model) => model.toLowerCase()))].sort();
  return {
    gpus: gpus === 0 && (vramBytes > 0 || gpuModels.length > 0) ? 1 : gpus,
    vramBytes,
    cpuCores,
    memoryBytes,
    cost,
    ...(gpuModels.length > 0 && { gpuModels }),
    ...(diskBytes > 0 && { diskBytes }),
  };
}

function compareNeeds(a: HardwareNeed, b: HardwareNeed): number {
  return (
    a.cost - b.cost ||
    a.gpus - b.gpus ||
    a.vramBytes - b.vramBytes ||
    a.cpuCores - b.cpuCores ||
    a.memoryBytes - b.memoryBytes ||
    (a.diskBytes ?? 0) - (b.diskBytes ?? 0) ||
    compareModels(a.gpuModels, b.gpuModels)
  );
}

/** Whatever allows more comes first. */
function compareModels(a: readonly string[] = [], b: readonly string[] = []): number {
  if (a.length !== b.length) return a.length === 0 ? -1 : b.length === 0 ? 1 : b.length - a.length;
  const [one, other] = [a.join('\n'), b.join('\n')];
  return one === other ? 0 : one < other ? -1 : 1;
}

/** At the same cost, whoever has what `b` needs has what `a` needs. (A cost of 0 is the step's: no other cost compares to it.) */
function makesSuperfluous(a: HardwareNeed, b: HardwareNeed): boolean {
  return (
    a.cost === b.cost &&
    a.gpus <= b.gpus &&
    a.vramBytes <= b.vramBytes &&
    a.cpuCores <= b.cpuCores &&
    a.memoryBytes <= b.memoryBytes &&
    (a.diskBytes ?? 0) <= (b.diskBytes ?? 0) &&
    allows(a.gpuModels, b.gpuModels)
  );
}

/** Whether every GPU that has one of the models `b` has one of `a`. */
function allows(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === 0 || (b.length > 0 && b.every((model) => a.includes(model)));
}

function withoutDefaults(need: HardwareNeed): Partial<HardwareNeed> {
  return {
    ...(need.gpus > 0 && { gpus: need.gpus }),
    ...(need.vramBytes > 0 && { vramBytes: need.vramBytes }),
    ...(need.cpuCores > 0 && { cpuCores: need.cpuCores }),
    ...(need.memoryBytes > 0 && { memoryBytes: need.memoryBytes }),
    ...(need.cost > 0 && { cost: need.cost }),
    ...(need.gpuModels !== undefined && { gpuModels: need.gpuModels }),
    ...(need.diskBytes !== undefined && { diskBytes: need.diskBytes }),
  };
}

/** Two 32-bit multiplicative lanes over UTF-16 units, crossed and finished like MurmurHash3; 6 base-32 digits of each. */
function hash60(text: string): string {
  let left = 0x811c9dc5;
  let right = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    left = Math.imul(left ^ unit, 0x01000193);
    right = Math.imul(right ^ unit, 0x85ebca6b);
    right ^= right >>> 15;
  }
  const crossed = finish(left ^ Math.imul(right, 0xc2b2ae35));
  return digits(crossed) + digits(finish(right ^ Math.imul(crossed, 0x27d4eb2f)));
}

function finish(lane: number): number {
  let bits = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function digits(lane: number): string {
  let text = '';
  for (let shift = 0; shift < 30; shift += 5) text += HASH_DIGITS[(lane >>> shift) & 31] ?? '';
  return text;
}
