import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { costPerSecond, driftOf } from '../../../sdk/common/rate.ts';
import { ThroughputTally } from '../../../sdk/common/throughput-tally.ts';

const steady = (count: number, cost: number, runMs: number): { cost: number; runMs: number }[] =>
  Array.from({ length: count }, () => ({ cost, runMs }));

describe('cost per second', () => {
  it('is cost over run time, whatever the size of the jobs', () => {
    expect(costPerSecond([])).toBeUndefined();
    expect(costPerSecond(steady(10, 4, 500))).toBeCloseTo(8);
    expect(costPerSecond([...steady(10, 1, 100), ...steady(10, 8, 800)])).toBeCloseTo(10);
  });

  it('is not moved by a cold start, nor by an answer from a cache', () => {
    const usual = steady(20, 1, 100);
    expect(costPerSecond([{ cost: 1, runMs: 60_000 }, ...usual])).toBeCloseTo(10);
    expect(costPerSecond([...usual, { cost: 1, runMs: 0 }])).toBeCloseTo(10);
  });

  it('follows a lasting change', () => {
    const rate = costPerSecond([...steady(25, 1, 100), ...steady(25, 1, 50)]) as number;
    expect(rate).toBeGreaterThan(14);
    expect(rate).toBeLessThan(20);
  });

  it('is finite and not negative for anything', () => {
    const sample = fc.record({
      cost: fc.double({ min: 0, max: 1e9, noNaN: true }),
      runMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 60 }), (samples) => {
        const rate = costPerSecond(samples);
        expect(rate === undefined || (Number.isFinite(rate) && rate >= 0)).toBe(true);
      }),
    );
  });
});

describe('the tally', () => {
  it('keeps the last fifty of each type', () => {
    const tally = new ThroughputTally();
    for (let index = 0; index < 100; index += 1) tally.add('a', 1, 1000);
    for (let index = 0; index < 50; index += 1) tally.add('a', 1, 500);
    expect(tally.add('b', 3, 1000)).toBe(1);
    expect(tally.figures()).toEqual([
      { type: 'a', costPerSecond: expect.closeTo(2), samples: 50, smallJobsDrift: 1, largeJobsDrift: 1 },
      { type: 'b', costPerSecond: expect.closeTo(3), samples: 1, smallJobsDrift: 1, largeJobsDrift: 1 },
    ]);
  });

  it('knows the recent mean run time', () => {
    const tally = new ThroughputTally();
    expect(tally.meanRunMs('a')).toBeUndefined();
    tally.add('a', 1, 100);
    expect(tally.meanRunMs('a')).toBe(100);
    for (let index = 0; index < 200; index += 1) tally.add('a', 1, 10);
    expect(tally.meanRunMs('a')).toBeCloseTo(10, 2);
  });
});

describe('drift of the declared cost', () => {
  const jobs = (count: number, msOf: (cost: number) => number) =>
    Array.from({ length: count }, (_, index) => ({ cost: 1 + index, runMs: msOf(1 + index) }));

  it('is none where time follows cost, where all cost the same, and of too few jobs', () => {
    const none = { small: 1, large: 1 };
    expect(driftOf(jobs(20, (cost) => cost * 100))).toEqual({
      small: expect.closeTo(1),
      large: expect.closeTo(1),
    });
    expect(driftOf(Array.from({ length: 20 }, (_, i) => ({ cost: 2, runMs: i + 1 })))).toEqual(none);
    expect(driftOf(jobs(9, () => 5))).toEqual(none);
    expect(driftOf([])).toEqual(none);
  });

  it('shows that every job takes the same time whatever its cost', () => {
    const { small, large } = driftOf(jobs(20, () => 100));
    expect(small).toBeGreaterThan(1.5);
    expect(large).toBeLessThan(0.8);
  });

  it('shows that large jobs take more than they say, and single cold starts do not count', () => {
    const samples = jobs(20, (cost) => cost * cost);
    samples[3] = { cost: 4, runMs: 1e6 };
    const { small, large } = driftOf(samples);
    expect(small).toBeLessThan(0.7);
    expect(large).toBeGreaterThan(1.3);
  });
});
