/** What the owner allows: hours, and free space on disk. */
import { describe, expect, test } from 'vitest';
import { isWithin, parseHours } from '../../../agent/drain/hours.ts';
import type { Hours } from '../../../agent/drain/hours.ts';
import { PolicyLoop } from '../../../agent/drain/policy.ts';

const at = (hour: number, minute = 0): Date => new Date(2026, 0, 5, hour, minute);

describe('hours', () => {
  test.each([
    ['9:00-17:30', at(9), true],
    ['9:00-17:30', at(17, 29), true],
    ['9:00-17:30', at(17, 30), false],
    ['9:00-17:30', at(8, 59), false],
    ['22:00-06:00', at(23), true],
    ['22:00-06:00', at(5, 59), true],
    ['22:00-06:00', at(6), false],
    ['22:00-06:00', at(12), false],
    ['18:00-24:00', at(23, 59), true],
    ['18:00-24:00', at(0), false],
  ])('%s at %s: %s', (text, time, within) => {
    expect(isWithin(parseHours(text) as Hours, time)).toBe(within);
  });

  test.each(['', '9-17', '9:00', '25:00-26:00', '9:00-9:00', '9:60-10:00', '9:00-24:30'])(
    '"%s" is none',
    (text) => {
      expect(parseHours(text)).toBeUndefined();
    },
  );
});

test('each change is told once, with the reason; what cannot be told changes nothing', async () => {
  const told: string[] = [];
  const errors: unknown[] = [];
  const world: { low: boolean | Error; hour: number } = { low: false, hour: 23 };
  const policy = new PolicyLoop({
    hours: parseHours('22:00-06:00') as Hours,
    lowDisk: () => (world.low instanceof Error ? Promise.reject(world.low) : Promise.resolve(world.low)),
    minFreeBytes: 5 * 2 ** 30,
    closed: (why) => told.push(why),
    onError: (error) => errors.push(error),
    date: () => at(world.hour),
  });
  await policy.runOnce();
  world.low = true;
  await policy.runOnce();
  await policy.runOnce();
  world.low = new Error('no such folder');
  await policy.runOnce();
  world.hour = 12;
  await policy.runOnce();
  world.hour = 23;
  world.low = false;
  await policy.runOnce();
  expect(told).toEqual(['less than 5 GiB are free on its disk', 'outside its hours (22:00-06:00)', '']);
  expect(errors).toHaveLength(1);
});
