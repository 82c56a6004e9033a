import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../sdk/common/duration.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('parseDuration', () => {
  test.each<[number | string, number]>([
    ['PT10M', 10 * MINUTE],
    ['pt1h30m', 90 * MINUTE],
    ['P1DT2H', DAY + 2 * HOUR],
    ['P2W', 14 * DAY],
    ['PT0.5S', 500],
    ['PT0,5S', 500],
    ['00:10:00', 10 * MINUTE],
    ['1.02:03:04.5', DAY + 2 * HOUR + 3 * MINUTE + 4500],
    ['100:00:00', 100 * HOUR],
    ['10m', 10 * MINUTE],
    ['1h30m', 90 * MINUTE],
    ['1h 30m', 90 * MINUTE],
    ['500ms', 500],
    ['1m500ms', 60_500],
    ['1.5h', 90 * MINUTE],
    ['2d', 2 * DAY],
    [' 30s ', 30_000],
    ['90', 90_000],
    ['0.25', 250],
    ['0', 0],
    ['0s', 0],
    [90, 90_000],
    [0.5, 500],
    [0, 0],
    [0.00001, 1],
    ['0.0001s', 1],
  ])('%j', (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });

  test.each<[number | string]>([
    [''],
    [' '],
    ['m'],
    ['10 minutes'],
    ['10M'],
    ['30m1h'],
    ['5m5m'],
    ['-5s'],
    ['+5s'],
    ['1e3'],
    ['P'],
    ['PT'],
    ['P1DT'],
    ['P1M'],
    ['P1Y'],
    ['10:00'],
    ['00:60:00'],
    ['00:00:60'],
    ['1h:30m'],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['9'.repeat(63)],
    ['1'.repeat(1_000_000)],
  ])('refuses %j', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });

  test('takes bare numbers in another unit where asked', () => {
    expect(parseDuration(90, 1)).toBe(90);
    expect(parseDuration('10m', 1)).toBe(10 * MINUTE);
  });
});

describe('formatDuration', () => {
  test.each<[number, string]>([
    [0, '0ms'],
    [500, '500ms'],
    [999.9, '999ms'],
    [1000, '1s'],
    [2500, '2.5s'],
    [59_999, '59.9s'],
    [MINUTE, '1m'],
    [90_000, '1m30s'],
    [HOUR, '1h'],
    [90 * MINUTE, '1h30m'],
    [DAY - 1, '23h59m'],
    [DAY, '1d'],
    [30 * DAY + 5 * HOUR, '30d5h'],
    [-1500, '-1.5s'],
    [Number.NaN, 'unknown'],
  ])('%s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('is read back to at most what it was, and to nearly that', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 365 * DAY }), (ms) => {
        const read = parseDuration(formatDuration(ms)) ?? Number.NaN;
        expect(read).toBeLessThanOrEqual(ms);
        expect(read).toBeGreaterThanOrEqual(ms * 0.95);
      }),
    );
  });
});
