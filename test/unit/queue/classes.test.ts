/** Equal meaning, equal class. */
import { describe, expect, test } from 'vitest';
import {
  canonicalRequirement,
  normalizeRequirement,
  parseCanonicalRequirement,
  queueName,
} from '../../../coordinator/queue/classes.ts';
import type { HardwareNeed, Requirement } from '../../../coordinator/workflow/plan.ts';

const GIB = 2 ** 30;

function need(given: Partial<HardwareNeed>): HardwareNeed {
  return { gpus: 0, vramBytes: 0, cpuCores: 0, memoryBytes: 0, cost: 0, ...given };
}

function requires(labels: Record<string, string>, ...alternatives: Partial<HardwareNeed>[]): Requirement {
  return { labels, alternatives: alternatives.map(need) };
}

const GPU = { gpus: 1, vramBytes: 24 * GIB };
const CPU = { cpuCores: 32, cost: 8 };

describe('queueName', () => {
  test('is the step type where nothing is required', () => {
    expect(queueName('image.make', null)).toBe('image.make');
    expect(queueName('image.make', requires({}))).toBe('image.make');
    expect(queueName('image.make', requires({}, {}))).toBe('image.make');
  });

  test('has a hash of what is required', () => {
    expect(queueName('image.make', requires({}, GPU))).toMatch(/^image\.make#[0-9a-v]{12}$/);
  });

  // Queues outlive coordinators: these names are for ever.
  test('never changes', () => {
    expect(queueName('image.make', requires({ zone: 'eu' }, GPU, CPU))).toBe('image.make#k9nf4ms87prs');
    expect(queueName('image.make', requires({ zone: 'us' }, GPU, CPU))).toBe('image.make#5fpldvj70tp3');
  });

  test('differs for 100,000 requirements that differ in one digit', () => {
    const names = new Set<string>();
    for (let cores = 0; cores < 100_000; cores++) names.add(queueName('t', requires({ cores: `${cores}` })));
    expect(names.size).toBe(100_000);
  });
});

describe('canonicalRequirement', () => {
  test('has no defaults', () => {
    expect(canonicalRequirement(null)).toBe('');
    expect(canonicalRequirement(requires({ a: '1' }))).toBe('{"labels":{"a":"1"}}');
    expect(canonicalRequirement(requires({}, CPU))).toBe('{"alternatives":[{"cpuCores":32,"cost":8}]}');
  });

  test.each<[string, Requirement, Requirement]>([
    ['labels in any order', requires({ b: '2', a: '1' }), requires({ a: '1', b: '2' })],
    ['alternatives in any order', requires({}, GPU, CPU), requires({}, CPU, GPU)],
    ['the same alternative twice', requires({}, GPU, GPU), requires({}, GPU)],
    [
      'an alternative that asks for more at the same cost',
      requires({}, GPU, { ...GPU, cpuCores: 4 }),
      requires({}, GPU),
    ],
    [
      'memory of GPUs without their number',
      requires({}, { vramBytes: GIB }),
      requires({}, { gpus: 1, vramBytes: GIB }),
    ],
    ['an alternative that asks for nothing', requires({ a: '1' }, {}), requires({ a: '1' })],
    ['one that asks for nothing, beside others', requires({ a: '1' }, {}, GPU), requires({ a: '1' })],
  ])('is the same for %s', (_what, one, other) => {
    expect(canonicalRequirement(one)).toBe(canonicalRequirement(other));
  });

  test.each<[string, Requirement, Requirement]>([
    ['another cost', requires({}, GPU), requires({}, { ...GPU, cost: 2 })],
    [
      'a cheaper alternative that asks for more',
      requires({}, { cost: 4 }),
      requires({}, { cost: 4 }, { ...GPU, cost: 1 }),
    ],
    ['another value', requires({ a: '1' }), requires({ a: '2' })],
    ['a label more', requires({ a: '1' }), requires({ a: '1', b: '' })],
    ['digits that are read as a number', requires({ 2: 'a', 10: 'b' }), requires({ 2: 'b', 10: 'a' })],
  ])('differs for %s', (_what, one, other) => {
    expect(canonicalRequirement(one)).not.toBe(canonicalRequirement(other));
  });

  test('can be read back', () => {
    for (const requirement of [
      requires({ b: '2', a: '1' }, CPU, GPU),
      requires({}, GPU),
      requires({ a: '' }),
      requires({}),
    ]) {
      expect(parseCanonicalRequirement(canonicalRequirement(requirement))).toEqual(
        normalizeRequirement(requirement),
      );
    }
  });
});
