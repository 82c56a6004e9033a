/** What a throughput run makes of its rounds, and what it refuses to count. */
import { describe, expect, it } from 'vitest';
import { inputOf, outputOf, problemOf } from '../../../bench/support/payload.ts';
import { spread } from '../../../bench/support/spread.ts';
import { Tally } from '../../../bench/support/tally.ts';
import { throughputOptions } from '../../../bench/throughput/options.ts';
import { measurePairs } from '../../../bench/throughput/pairs.ts';
import type { Round } from '../../../bench/throughput/round.ts';
import { bottleneckOf, ratios, summarise } from '../../../bench/throughput/summary.ts';

function round(perSecond: number, foreignCores: number = 0.1): Round {
  return {
    jobs: 1000,
    perSecond,
    wallMs: 1e6 / perSecond,
    roles: { redis: { cpuMs: 40, busiest: 0.5 }, coordinator: { cpuMs: 20, busiest: 0.95 } },
    cores: 1.5,
    foreignCores,
  };
}

describe('rounds', () => {
  it('come to medians, ranges and CPU per 1000 jobs', () => {
    const summary = summarise([round(9000), round(7000), round(8000)], 8);
    expect(summary?.perSecond).toEqual({ median: 8000, min: 7000, max: 9000 });
    expect(summary?.cpu).toEqual({ redis: 0.04, coordinator: 0.02 });
    expect(summary?.cpuTotal).toBe(0.06);
    expect(summary?.bottleneck).toBe('coordinator (95 % of a core)');
  });

  it('are compared in pairs', () => {
    const pairs = [
      { dibs: round(9000), peer: round(3000) },
      { dibs: round(4000), peer: round(1000) },
    ];
    expect(ratios(pairs)).toEqual({ median: 3.5, min: 3, max: 4 });
    expect(ratios([{ dibs: round(1) }])).toBeUndefined();
    expect(summarise([], 2)).toBeUndefined();
  });

  it('are made again when others used the machine', async () => {
    const foreign = [0, 1, 0, 0, 0.9, 0];
    const counted = await measurePairs(3, ['dibs'], async (_side, number) =>
      round(number, foreign[number - 1]),
    );
    expect(counted.pairs.map(({ dibs }) => dibs?.perSecond)).toEqual([1, 3, 4]);
    expect(counted).toMatchObject({ quiet: true, leftOut: 1 });
  });

  it('count all when the machine never was quiet', async () => {
    const counted = await measurePairs(3, ['dibs', 'peer'], async (_side, number) => round(number, 1));
    expect(counted).toMatchObject({ quiet: false, leftOut: 0 });
    expect(counted.pairs).toHaveLength(9);
  });

  it('name what stood in the way', () => {
    expect(bottleneckOf({ a: 0.3, b: 0.4 }, 1, 4)).toBe('none saturated; nearest b (40 % of a core)');
    expect(bottleneckOf({ a: 0.3, b: 0.4 }, 1.9, 2)).toBe('all 2 cores busy; nearest b (40 % of a core)');
  });

  it('have a median of an even number of samples', () => {
    expect(spread([4, 1, 3, 2]).median).toBe(2.5);
    expect(() => spread([])).toThrow(RangeError);
  });
});

describe('a tally', () => {
  const ask = { first: 97, jobs: 2, window: 10 };

  it('ends when every job was seen once, with the right result', async () => {
    const tally = new Tally(ask);
    const half = tally.whenCompleted(1);
    tally.saw(98, () => undefined);
    await half;
    tally.saw(97, () => outputOf(inputOf(97)));
    expect(await tally.done).toMatchObject({ completed: 2, sampled: 1 });
  });

  it.each([
    ['a job seen twice', 98, 98],
    ['a job of another round', 98, 99],
    ['another job before', 98, 96],
    ['a wrong result in the sample', 98, 97],
  ])('fails for %s', async (_what, ...seen) => {
    const tally = new Tally(ask);
    for (const n of seen) tally.saw(n, () => outputOf(inputOf(12_345)));
    await expect(tally.done).rejects.toThrow('mismatch');
  });
});

describe('the payload', () => {
  it.each([1, 99, 1_234_567])('has 200 bytes on the way in and out, job %i', (n) => {
    expect(JSON.stringify(inputOf(n))).toHaveLength(200);
    expect(JSON.stringify(outputOf(inputOf(n)))).toHaveLength(200);
    expect(problemOf(n, outputOf(inputOf(n)))).toBeUndefined();
    expect(problemOf(n, null)).toContain('undefined');
  });
});

describe('options', () => {
  it('have defaults', () => {
    expect(throughputOptions('throughput', [])).toMatchObject({
      rounds: 5,
      agents: 2,
      isolation: 'inline',
      jobs: undefined,
    });
    expect(throughputOptions('throughput', ['--only', 'peer']).sides).toEqual(['peer']);
  });

  it.each([['--jobs', '0'], ['--isolation', 'thread'], ['--rounds', 'many'], ['--unknown']])(
    'refuse %s %s',
    (...argv) => {
      expect(() => throughputOptions('throughput', argv)).toThrow(TypeError);
    },
  );
});
