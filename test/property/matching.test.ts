/** Matching against an evaluator that is slow and obviously right, and that the one form of a requirement keeps its meaning. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalRequirement,
  normalizeRequirement,
  parseCanonicalRequirement,
} from '../../coordinator/queue/classes.ts';
import { canRun, modelKey, openProfile, requirementInWords } from '../../coordinator/queue/match.ts';
import type { Profile } from '../../coordinator/queue/match.ts';
import { LABEL_OPERATORS } from '../../coordinator/workflow/plan.ts';
import type { HardwareNeed, LabelNeed, Requirement } from '../../coordinator/workflow/plan.ts';

const CASES = 10_000;
const GIB = 2 ** 30;

const TYPES = ['image.make', 'text.sum', 'video.cut'];
const MODELS = ['sdxl', 'flux', 'llama'];
const GPUS = ['NVIDIA H100 80GB HBM3', 'NVIDIA A100-SXM4-40GB', 'NVIDIA GeForce RTX 4090'];
const VALUES = ['eu', 'us', '', '3', '12.5', '-1', '1e2', '0x10', 'NaN'];
const NUMBERS = ['3', '12.5', '-1', '100', '.5'];
const NAMES = ['zone', 'tier', 'cuda', 'toString'];

const someOf = <T>(values: readonly T[], max = values.length): fc.Arbitrary<T[]> =>
  fc.subarray([...values], { minLength: 0, maxLength: max });
const record = fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES), { maxKeys: 3 });
const size = fc.constantFrom(0, 8, 24, 40, 80).map((gib) => gib * GIB);

/** So that not every case fails for its labels. */
function mostly<T>(plain: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(plain) }, { weight: 1, arbitrary: other });
}

const labelNeed: fc.Arbitrary<LabelNeed> = fc
  .record({ name: fc.constantFrom(...NAMES), operator: fc.constantFrom(...LABEL_OPERATORS) })
  .chain(({ name, operator }) => {
    const values =
      operator === 'in' || operator === 'notIn'
        ? fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 3 })
        : operator === 'exists' || operator === 'notExists'
          ? fc.constant<string[]>([])
          : fc.constantFrom(...NUMBERS).map((value) => [value]);
    return values.map((chosen): LabelNeed => ({ name, operator, values: chosen }));
  });

const need: fc.Arbitrary<HardwareNeed> = fc.record({
  gpus: fc.nat(3),
  vramBytes: size,
  cpuCores: fc.constantFrom(0, 0, 8, 32),
  memoryBytes: fc.constantFrom(0, 0, 16 * GIB, 64 * GIB),
  cost: fc.constantFrom(0, 0, 1, 2, 5),
  gpuModels: someOf(['h100', 'A100', 'rtx', 'nvidia', 'H100 80gb'], 2),
  diskBytes: fc.constantFrom(0, 0, 50 * GIB),
});

const requirement: fc.Arbitrary<Requirement> = fc.record({
  labels: mostly({}, record),
  alternatives: fc.array(need, { maxLength: 4 }),
  labelNeeds: mostly([], fc.array(labelNeed, { minLength: 1, maxLength: 2 })),
  models: mostly([], someOf(MODELS, 2)),
});

const profile: fc.Arbitrary<Profile> = fc.record({
  types: fc.subarray(TYPES, { minLength: 2 }).map((types) => new Set(types)),
  labels: record,
  gpus: fc.array(fc.record({ vramBytes: size, model: fc.constantFrom(...GPUS) }), { maxLength: 4 }),
  cpuCores: fc.constantFrom(4, 8, 32, 64),
  memoryBytes: fc.constantFrom(8 * GIB, 16 * GIB, 64 * GIB),
  diskBytes: fc.constantFrom(0, 50 * GIB),
  models: fc
    .array(fc.tuple(fc.constantFrom(...TYPES), fc.constantFrom(...MODELS)))
    .map((pairs) => new Set(pairs.map(([type, model]) => modelKey(type, model)))),
});

function naiveLabel(
  labels: Readonly<Record<string, string>>,
  { name, operator, values }: LabelNeed,
): boolean {
  const there = Object.keys(labels).includes(name);
  const value = there ? (labels[name] as string) : '';
  if (operator === 'exists') return there;
  if (operator === 'notExists') return !there;
  if (operator === 'in') return there && values.some((one) => one === value);
  if (operator === 'notIn') return !there || values.every((one) => one !== value);
  if (!there || !['3', '12.5', '-1', '1e2'].includes(value)) return false;
  const [left, right] = [Number(value), Number(values[0])];
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  if (operator === '>') return left > right;
  return left >= right;
}

function naiveFits({ gpus, cpuCores, memoryBytes, diskBytes }: Profile, one: HardwareNeed): boolean {
  const models = one.gpuModels ?? [];
  let usable = 0;
  for (const gpu of gpus) {
    const known =
      models.length === 0 || models.some((part) => gpu.model.toUpperCase().includes(part.toUpperCase()));
    if (known && gpu.vramBytes >= one.vramBytes) usable++;
  }
  const wanted = one.gpus === 0 && (one.vramBytes > 0 || models.length > 0) ? 1 : one.gpus;
  if (usable < wanted) return false;
  return cpuCores >= one.cpuCores && memoryBytes >= one.memoryBytes && diskBytes >= (one.diskBytes ?? 0);
}

/** Cost of the job there; undefined = it cannot run. */
function naive(box: Profile, type: string, wanted: Requirement, ownCost: number): number | undefined {
  if (![...box.types].includes(type)) return undefined;
  for (const [name, value] of Object.entries(wanted.labels))
    if (!Object.keys(box.labels).includes(name) || box.labels[name] !== value) return undefined;
  if (!(wanted.labelNeeds ?? []).every((one) => naiveLabel(box.labels, one))) return undefined;
  for (const model of wanted.models ?? [])
    if (![...box.models].includes(`${type} ${model}`)) return undefined;
  if (wanted.alternatives.length === 0) return ownCost;
  const costs = wanted.alternatives.filter((one) => naiveFits(box, one)).map((one) => one.cost || ownCost);
  return costs.length === 0 ? undefined : Math.min(...costs);
}

test(`as the naive evaluator says, in ${CASES} cases, before and after the requirement took its one form`, () => {
  let fit = 0;
  fc.assert(
    fc.property(
      profile,
      fc.constantFrom(...TYPES),
      requirement,
      fc.constantFrom(1, 3),
      (box, type, wanted, cost) => {
        const expected = naive(box, type, wanted, cost);
        const stored = parseCanonicalRequirement(canonicalRequirement(wanted));
        expect(canonicalRequirement(stored)).toBe(canonicalRequirement(wanted));
        for (const form of [stored, normalizeRequirement(wanted)]) {
          const match = canRun(box, { type, requirement: form, cost });
          expect(match.ok ? match.cost : undefined).toBe(expected);
          if (!match.ok) expect(match.message).toMatch(/^has /);
        }
        expect(requirementInWords(type, stored)).toContain(type);
        if (expected !== undefined) fit++;
      },
    ),
    { numRuns: CASES },
  );
  // Neither answer is the rare one.
  expect(fit).toBeGreaterThan(CASES / 50);
  expect(fit).toBeLessThan(CASES / 1.5);
});

test('what a condition rules out is never more than the profile allows', () => {
  const condition = fc.record({
    gpuFreeBytes: fc.array(size, { maxLength: 4 }),
    pausedTypes: someOf(TYPES),
  });
  let closed = 0;
  fc.assert(
    fc.property(profile, fc.constantFrom(...TYPES), requirement, condition, (box, type, wanted, now) => {
      const needed = normalizeRequirement(wanted);
      const open = canRun(openProfile(box, now), { type, requirement: needed });
      const ever = canRun(box, { type, requirement: needed });
      if (open.ok) expect(ever.ok).toBe(true);
      if (now.pausedTypes.includes(type)) expect(open.ok).toBe(false);
      if (ever.ok && !open.ok) closed++;
    }),
    { numRuns: 2000 },
  );
  expect(closed).toBeGreaterThan(0);
});
