/**
 * Which classes an agent can run: matching in memory, once per distinct profile and set of classes.
 *
 * Invariant: agents that advertise the same share one answer; it is thrown away when a class is learnt.
 */
import type { Advertisement__Output, Condition__Output } from '../../proto/gen/index.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Cell } from '../queue/keys.ts';
import { canRun, modelKey } from '../queue/match.ts';
import type { AgentCondition, CapabilityClass, Profile } from '../queue/match.ts';
import type { Classes } from './classes.ts';

/** Profiles remembered before the oldest is dropped. */
const MAX_PROFILES = 1000;

/** What one agent may advertise; lengths are UTF-16 units. */
const MAX_EXECUTORS = 256;
const MAX_LABELS = 64;
const MAX_LABEL_LENGTH = 200;
const MAX_COST_LENGTH = 1000;
/** Entries of one list of a condition. */
const MAX_CONDITION = 1000;
/** Of one executor. */
const MAX_MODELS = 256;
const GIB = 2 ** 30;
/** As in a submitted workflow: anything else could never be asked for. */
const TYPE = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$/;

/** Throws PROTOCOL_VIOLATION for what no agent of ours would say. */
export function checkAdvertisement(advertisement: Advertisement__Output | null): void {
  if (advertisement === null) return;
  const { executors, labels } = advertisement;
  if (executors.length > MAX_EXECUTORS) violation(`more than ${MAX_EXECUTORS} executors`);
  for (const { type, cost, models } of executors) {
    if (models.length > MAX_MODELS) violation(`an executor with more than ${MAX_MODELS} models`);
    if (models.some(({ name }) => name.length > MAX_LABEL_LENGTH))
      violation(`a model's name of more than ${MAX_LABEL_LENGTH} characters`);
    if (!TYPE.test(type)) violation('an executor of a type that is not valid');
    if (cost.length > MAX_COST_LENGTH) violation(`a cost of more than ${MAX_COST_LENGTH} characters`);
  }
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) violation(`more than ${MAX_LABELS} labels`);
  if (entries.some((entry) => entry.some((text) => text.length > MAX_LABEL_LENGTH)))
    violation(`a label of more than ${MAX_LABEL_LENGTH} characters`);
}

function violation(what: string): never {
  throw new DibsError('PROTOCOL_VIOLATION', `The advertisement has ${what}.`);
}

export function profileOf(advertisement: Advertisement__Output | null | undefined): Profile {
  const hardware = advertisement?.hardware;
  return {
    types: new Set((advertisement?.executors ?? []).map((executor) => executor.type)),
    labels: advertisement?.labels ?? {},
    gpus: (hardware?.gpus ?? []).map(({ vramBytes, model }) => ({ vramBytes, model })),
    cpuCores: hardware?.cpuCores ?? 0,
    memoryBytes: hardware?.memoryBytes ?? 0,
    diskBytes: inSteps(hardware?.diskFreeBytes ?? 0),
    models: new Set(
      (advertisement?.executors ?? []).flatMap(({ type, models }) =>
        models.map(({ name }) => modelKey(type, name)),
      ),
    ),
  };
}

export function conditionOf(said: Condition__Output | null | undefined): AgentCondition {
  return { gpuFreeBytes: said?.gpuFreeBytes ?? [], pausedTypes: said?.pausedTypes ?? [] };
}

/** Throws PROTOCOL_VIOLATION for what no agent of ours would say. */
export function checkCondition({
  cachedModels,
  warmModels,
  gpuFreeBytes,
  pausedTypes,
}: Condition__Output): void {
  for (const list of [cachedModels, warmModels, gpuFreeBytes, pausedTypes])
    if (list.length > MAX_CONDITION) throw conditionViolation(`a list of more than ${MAX_CONDITION}`);
  for (const text of [...cachedModels, ...warmModels, ...pausedTypes])
    if (text.length > MAX_LABEL_LENGTH)
      throw conditionViolation(`a name of more than ${MAX_LABEL_LENGTH} characters`);
}

function conditionViolation(what: string): DibsError {
  return new DibsError('PROTOCOL_VIOLATION', `The condition has ${what}.`);
}

/** Rounded down by at most an eighth: free disk differs from box to box, and boxes that differ in nothing else match alike. */
function inSteps(bytes: number): number {
  if (bytes < GIB) return 0;
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 3);
  return Math.floor(bytes / step) * step;
}

/** Equal texts match alike. */
export function profileKey(profile: Profile): string {
  return JSON.stringify([
    [...profile.types].toSorted(),
    Object.entries(profile.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    profile.gpus.map(({ vramBytes, model }) => `${vramBytes} ${model}`).toSorted(),
    profile.cpuCores,
    profile.memoryBytes,
    profile.diskBytes,
    [...profile.models].toSorted(),
  ]);
}

type ByType = ReadonlyMap<string, readonly string[]>;

export class Matching {
  readonly #classes: Classes;
  #revision = -1;
  /** Profile key → per cell: names of matching classes by step type. */
  readonly #answers = new Map<string, (ByType | undefined)[]>();

  constructor(classes: Classes) {
    this.#classes = classes;
  }

  /** Classes of a cell the profile can run, by step type. */
  classesIn(cell: Cell, profile: Profile, key: string): ByType {
    if (this.#revision !== this.#classes.revision) {
      this.#answers.clear();
      this.#revision = this.#classes.revision;
    }
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      if (this.#answers.size >= MAX_PROFILES)
        this.#answers.delete(this.#answers.keys().next().value as string);
      answer = [];
      this.#answers.set(key, answer);
    }
    return (answer[cell.index] ??= this.#match(cell, profile));
  }

  /** Cost of a job of this class on an agent of this profile, where the step's own is `ownCost`. */
  costOn(profile: Profile, name: string, ownCost: number): number {
    const need = this.#classes.needs.get(name);
    if (need?.requirement?.alternatives.some(({ cost }) => cost > 0) !== true) return ownCost;
    const match = canRun(profile, { ...need, cost: ownCost });
    return match.ok && match.cost > 0 ? match.cost : ownCost;
  }

  /** What the class asks of an agent, where it is known. */
  needOf(name: string): CapabilityClass | undefined {
    return this.#classes.needs.get(name);
  }

  #match(cell: Cell, profile: Profile): ByType {
    const found = new Map<string, string[]>();
    for (const name of this.#classes.knownIn(cell)) {
      const need = this.#classes.needs.get(name);
      if (need === undefined || !canRun(profile, need).ok) continue;
      const names = found.get(need.type);
      if (names === undefined) found.set(need.type, [name]);
      else names.push(name);
    }
    return found;
  }
}
