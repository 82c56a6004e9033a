/**
 * Which classes an agent can run: matching in memory, once per distinct profile and set of classes.
 *
 * Invariant: agents that advertise the same share one answer; it is thrown away when a class is learnt.
 */
import type { Advertisement__Output } from '../../proto/gen/index.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Cell } from '../queue/keys.ts';
import { canRun } from '../queue/match.ts';
import type { Profile } from '../queue/match.ts';
import type { Classes } from './classes.ts';

/** Profiles remembered before the oldest is dropped. */
const MAX_PROFILES = 1000;

/** What one agent may advertise; lengths are UTF-16 units. */
const MAX_EXECUTORS = 256;
const MAX_LABELS = 64;
const MAX_LABEL_LENGTH = 200;
const MAX_COST_LENGTH = 1000;
/** As in a submitted workflow: anything else could never be asked for. */
const TYPE = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$/;

/** Throws PROTOCOL_VIOLATION for what no agent of ours would say. */
export function checkAdvertisement(advertisement: Advertisement__Output | null): void {
  if (advertisement === null) return;
  const { executors, labels } = advertisement;
  if (executors.length > MAX_EXECUTORS) violation(`more than ${MAX_EXECUTORS} executors`);
  for (const { type, cost } of executors) {
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
    gpus: (hardware?.gpus ?? []).map((gpu) => ({ vramBytes: gpu.vramBytes })),
    cpuCores: hardware?.cpuCores ?? 0,
    memoryBytes: hardware?.memoryBytes ?? 0,
  };
}

/** Equal texts match alike. */
export function profileKey(profile: Profile): string {
  return JSON.stringify([
    [...profile.types].toSorted(),
    Object.entries(profile.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    profile.gpus.map((gpu) => gpu.vramBytes).toSorted((a, b) => a - b),
    profile.cpuCores,
    profile.memoryBytes,
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
