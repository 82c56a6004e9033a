import { describe, expect, it } from 'vitest';
import { durationMs, sizeBytes } from '../../../sdk/client/quantities.ts';

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['PT10M', 600_000],
    ['P1DT1H', 90_000_000],
    ['PT0.5S', 500],
    ['00:10:00', 600_000],
    ['1.00:00:01.5', 86_401_500],
    ['600', 600_000],
    [1_500, 1_500],
    [0, 0],
    ['0s', 0],
    [0.4, 1],
    ['0.1ms', 1],
  ])('reads %j as %d ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each([
    '',
    'soon',
    '10 minutes',
    '-5s',
    'P',
    'PT',
    '1:2',
    '00:99:00',
    '5s later',
    Number.NaN,
    -1,
    Number.POSITIVE_INFINITY,
  ])('does not read %j', (text) => expect(durationMs(text)).toBeUndefined());
});

describe('sizes', () => {
  it.each([
    ['10GiB', 10 * 2 ** 30],
    ['24 GiB', 24 * 2 ** 30],
    ['1.5MB', 1_500_000],
    ['512Ki', 524_288],
    ['7', 7],
    ['7b', 7],
    [42, 42],
  ])('reads %j as %d bytes', (text, bytes) => {
    expect(sizeBytes(text)).toBe(bytes);
  });

  it.each(['', 'big', '10 apples', '-1', -1, 1.5])('does not read %j', (text) => {
    expect(sizeBytes(text)).toBeUndefined();
  });
});
