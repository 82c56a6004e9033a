/** The plan of faults: the rules in the head of plan.ts, over many seeds and fleets. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAULT_KINDS, KINDS } from '../../chaos/faults/kinds.ts';
import type { FaultKind } from '../../chaos/faults/kinds.ts';
import { CALM_SHARE, MEAN_GAP_MS, busyUntil, planFaults } from '../../chaos/faults/plan.ts';
import type { Fault } from '../../chaos/faults/plan.ts';
import type { FleetNames } from '../../chaos/fleet/fleet.ts';

const FLEET: FleetNames = {
  redis: ['redis'],
  coordinator: ['coordinator-1', 'coordinator-2'],
  agent: ['agent-1', 'agent-2', 'agent-3'],
  consumer: ['consumer-1', 'consumer-2'],
  link: [
    ...['clients>coordinator-1', 'clients>coordinator-2', 'coordinator-1>redis', 'coordinator-2>redis'],
    ...['agent-1>coordinators', 'agent-2>coordinators', 'agent-3>coordinators'],
  ],
};
const ALL: ReadonlySet<FaultKind> = new Set(FAULT_KINDS);
const SEEDS = Array.from({ length: 30 }, (_, index) => index + 1);

function plan(seed: number, seconds: number, allow = ALL, leaseMs = 3_000): Fault[] {
  return planFaults(seed, { seconds, members: FLEET, leaseMs, allow });
}

test('one seed, one plan; another seed, another', () => {
  expect(plan(1, 120)).toEqual(plan(1, 120));
  expect(plan(1, 120)).not.toEqual(plan(2, 120));
});

test('about one fault per gap, each kind at least once in two minutes', () => {
  for (const seed of SEEDS) {
    const faults = plan(seed, 120);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(ALL);
    expect(faults.length * MEAN_GAP_MS).toBeGreaterThan(0.9 * 120_000 * (1 - CALM_SHARE));
    expect(faults.length * MEAN_GAP_MS).toBeLessThan(120_000);
  }
});

test('short runs have every kind among thirty seeds', () => {
  const seen = new Set(SEEDS.flatMap((seed) => plan(seed, 10).map(({ kind }) => kind)));
  expect(seen).toEqual(ALL);
});

describe('over thirty seeds', () => {
  const faults = SEEDS.flatMap((seed) => plan(seed, 120));
  const lengths = (kind: FaultKind): number[] =>
    faults.filter((fault) => fault.kind === kind).map(({ forMs }) => forMs / 3_000);

  test('agents are frozen for less than a lease and for more', () => {
    expect(lengths('freeze-agent').some((leases) => leases < 0.5)).toBe(true);
    expect(lengths('freeze-agent').some((leases) => leases > 1.2)).toBe(true);
    expect(Math.max(...lengths('freeze-agent'))).toBeLessThanOrEqual(2);
  });

  test('outages have the three lengths', () => {
    expect([...new Set(lengths('outage'))].sort((one, other) => one - other)).toEqual([0.75, 0.83, 1.08]);
  });

  test('faults of Redis are rare', () => {
    const ofRedis = faults.filter(({ target }) => target === 'redis').length;
    expect(ofRedis / faults.length).toBeLessThan(0.15);
  });

  test('mostly one coordinator is whole, and sometimes none', () => {
    const downs = SEEDS.map((seed) =>
      plan(seed, 120).filter(({ kind }) => kind === 'kill-coordinator' || kind === 'freeze-coordinator'),
    );
    const both = downs.map((some) =>
      pairs(some).filter(([one, other]) => one.target !== other.target && meet(one, other)),
    );
    const all = downs.flat().length;
    expect(both.flat().length).toBeGreaterThan(0);
    expect(both.flat().length / all).toBeLessThan(0.25);
  });

  test('clocks jump by an hour or a day, both ways', () => {
    const hours = new Set(
      faults.filter(({ kind }) => kind === 'clock-jump').map(({ jumpMs = 0 }) => jumpMs / 3_600_000),
    );
    expect([...hours].sort((one, other) => one - other)).toEqual([-24, -1, 1, 24]);
  });
});

test('rules of every plan', () => {
  const names = (kind: string, min: number) =>
    fc
      .integer({ min, max: 4 })
      .map((count) => Array.from({ length: count }, (_, index) => `${kind}-${index}`));
  const fleets: fc.Arbitrary<FleetNames> = fc.record({
    redis: names('redis', 0).map((list) => list.slice(0, 1)),
    coordinator: names('coordinator', 1),
    agent: names('agent', 0),
    consumer: names('consumer', 0),
    link: names('link', 0),
  });
  const kinds = fc.uniqueArray(fc.constantFrom(...FAULT_KINDS)).map((list) => new Set(list));
  const runs = fc.record({
    seed: fc.integer(),
    seconds: fc.integer({ min: 1, max: 60 }),
    leaseMs: fc.integer({ min: 500, max: 8_000 }),
    members: fleets,
    allow: kinds,
  });
  fc.assert(
    fc.property(runs, ({ seed, ...options }) => {
      const faults = planFaults(seed, options);
      const calmMs = options.seconds * 1000 * (1 - CALM_SHARE);
      for (const fault of faults) {
        expect(options.allow).toContain(fault.kind);
        expect(KINDS[fault.kind].targets(options.members)).toContain(fault.target);
        expect(fault.atMs).toBeGreaterThan(0);
        expect(fault.forMs).toBeGreaterThanOrEqual(0);
        expect(fault.atMs + fault.forMs).toBeLessThanOrEqual(calmMs);
      }
      expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).sort((a, b) => a - b));
      for (const [one, other] of pairs(faults))
        if (one.target === other.target) expect(meet(one, other)).toBe(false);
    }),
  );
});

function pairs(faults: readonly Fault[]): [Fault, Fault][] {
  return faults.flatMap((one, index) => faults.slice(index + 1).map((other): [Fault, Fault] => [one, other]));
}

function meet(one: Fault, other: Fault): boolean {
  return one.atMs < busyUntil(other) && other.atMs < busyUntil(one);
}
