/** Counting by bounds, and what becomes of too many labels. */
import { expect, test } from 'vitest';
import { Counters, finishedLabels } from '../../../coordinator/metrics/counters.ts';
import { Histogram, Series } from '../../../coordinator/metrics/histogram.ts';

test('a value counts at the first bound it does not exceed, and at all behind it', () => {
  const histogram = new Histogram([1, 2, 5]);
  for (const value of [0, 1, 1.5, 5, 6]) histogram.observe(value);
  expect(histogram.cumulative()).toEqual([2, 3, 4, 5]);
  expect([histogram.sum, histogram.count]).toEqual([13.5, 5]);
  histogram.observe(2, 10);
  expect(histogram.cumulative()).toEqual([2, 13, 14, 15]);
  expect(histogram.sum).toBe(33.5);
});

test('labels beyond the most are counted together', () => {
  const series = new Series(() => ({ value: 0 }), 3);
  for (const label of ['a', 'b', 'c', 'd', 'a']) series.of(label).value++;
  expect([...series.entries()].map(([label, { value }]) => [label, value])).toEqual([
    ['a', 2],
    ['b', 1],
    ['other', 2],
  ]);
});

test('reasons of executors of their own are no labels', () => {
  const counters = new Counters();
  counters.jobFinished('failed', 'MY_OWN_REASON');
  counters.jobFinished('failed', 'OUT_OF_MEMORY');
  counters.jobFinished('succeeded', '');
  expect([...counters.finished.entries()].map(([key]) => finishedLabels(key))).toEqual([
    { outcome: 'failed', reason: 'other' },
    { outcome: 'failed', reason: 'OUT_OF_MEMORY' },
    { outcome: 'succeeded', reason: '' },
  ]);
});

test('claims by how much they brought', () => {
  const counters = new Counters();
  counters.claimed(4, 4);
  counters.claimed(4, 1);
  counters.claimed(4, 0);
  expect([...counters.claims.entries()].map(([key]) => key)).toEqual(['full', 'partial', 'empty']);
});
