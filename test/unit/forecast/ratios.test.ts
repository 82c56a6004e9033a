/** What is learnt from forecasts that came true or did not. */
import { expect, test } from 'vitest';
import { Ratios, quantile } from '../../../coordinator/forecast/ratios.ts';

test('quantiles between values', () => {
  expect([0, 0.25, 0.5, 0.9, 1].map((share) => quantile([1, 2, 3, 4, 5], share))).toEqual([1, 2, 3, 4.6, 5]);
});

test('nothing is learnt from a few', () => {
  const ratios = new Ratios();
  for (let i = 0; i < 19; i++) ratios.add(1000, { p50Ms: 1000, p90Ms: 1500 }, 4000);
  expect(ratios.band).toEqual({ p50: 1, p90: 1.5 });
  ratios.add(1000, { p50Ms: 1000, p90Ms: 1500 }, 4000);
  expect(ratios.band).toEqual({ p50: 4, p90: 4 });
});

test('the band is that of the ratios, the quality that of what was told', () => {
  const ratios = new Ratios();
  for (let i = 1; i <= 100; i++) ratios.add(1000, { p50Ms: 1000, p90Ms: 1200 }, 500 + 10 * i);
  expect(ratios.band.p50).toBeCloseTo(1.005, 3);
  expect(ratios.band.p90).toBeCloseTo(1.401, 3);
  expect(ratios.quality?.samples).toBe(100);
  expect(ratios.quality?.withinP90).toBe(0.7);
});

test('short waits count as 50 ms: of them a forecast is only noise', () => {
  const ratios = new Ratios();
  ratios.add(1, { p50Ms: 1, p90Ms: 2 }, 40);
  expect(ratios.quality).toEqual({ samples: 1, medianError: 0, withinP90: 1 });
});

test('only the last 256 count', () => {
  const ratios = new Ratios();
  for (let i = 0; i < 300; i++) ratios.add(1000, { p50Ms: 1000, p90Ms: 1000 }, i < 44 ? 9000 : 1000);
  expect(ratios.quality).toEqual({ samples: 256, medianError: 0, withinP90: 1 });
});
