/** The progress formula on traces computed by hand, and what is shown of it. */
import { describe, expect, test } from 'vitest';
import {
  ALMOST,
  HighWater,
  SOURCE,
  estimateProgress,
  progressOf,
} from '../../../coordinator/progress/estimate.ts';
import { State } from '../../../sdk/common/states.ts';

describe('elapsed x throughput / cost', () => {
  test.each([
    // elapsed ms, cost a second, cost, progress
    [0, 2, 10, 0],
    [1000, 2, 10, 0.2],
    [2500, 2, 10, 0.5],
    [4999, 2, 10, 0.9998],
    [5000, 2, 10, 1],
    [50_000, 2, 10, 1],
    [250, 0.5, 4, 0.03125],
    [60_000, 0.001, 1, 0.06],
    [-100, 2, 10, 0],
    [1000, 0, 10, 0],
    [1000, 2, 0, 0],
    [1000, Number.NaN, 10, 0],
  ])('%d ms at %d for cost %d: %d', (elapsed, throughput, cost, progress) => {
    expect(estimateProgress(elapsed, throughput, cost)).toBeCloseTo(progress, 12);
  });
});

const RUNNING = { state: State.processing, startedAt: 1000, reported: -1, cost: 8, throughput: 2 };

describe('what is shown', () => {
  test('nothing before the start, nor without a throughput', () => {
    expect(progressOf({ ...RUNNING, startedAt: 0 }, 2000).source).toBe(SOURCE.none);
    expect(progressOf({ ...RUNNING, throughput: undefined }, 2000).source).toBe(SOURCE.none);
  });

  test('the estimate, labelled', () => {
    expect(progressOf(RUNNING, 3000)).toEqual({ fraction: 0.5, source: SOURCE.estimated });
  });

  test('what the executor says wins, even where it is less', () => {
    expect(progressOf({ ...RUNNING, reported: 0.1 }, 3000)).toEqual({
      fraction: 0.1,
      source: SOURCE.reported,
    });
  });

  test('1 only on success', () => {
    expect(progressOf(RUNNING, 60_000).fraction).toBe(ALMOST);
    expect(progressOf({ ...RUNNING, reported: 1 }, 3000).fraction).toBe(ALMOST);
    expect(progressOf({ ...RUNNING, state: State.succeeded }, 3000).fraction).toBe(1);
    expect(progressOf({ ...RUNNING, state: State.failed, reported: 1 }, 3000).fraction).toBe(ALMOST);
    expect(progressOf({ ...RUNNING, state: State.failed }, 3000).source).toBe(SOURCE.none);
  });
});

test('a figure never goes back, whatever is learnt of the throughput; another claim begins anew', () => {
  const water = new HighWater();
  const shown = [2, 4, 1, 8].map(
    (throughput, second) =>
      water.raise('job token', progressOf({ ...RUNNING, cost: 32, throughput }, 1000 + second * 1000))
        .fraction,
  );
  expect(shown).toEqual([0, 0.125, 0.125, 0.75]);
  // The agent is gone and so is its throughput: what was shown stays.
  expect(water.raise('job token', progressOf({ ...RUNNING, throughput: undefined }, 9000))).toEqual({
    fraction: 0.75,
    source: SOURCE.estimated,
  });
  expect(water.raise('job other', progressOf({ ...RUNNING, cost: 32 }, 2000)).fraction).toBe(0.0625);
});
