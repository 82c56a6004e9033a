import { expect, test } from 'vitest';
import { Repeats } from '../../../runtime/repeats.ts';

test('the same trouble is told once in a while, with how often it showed', () => {
  const told: [string, number][] = [];
  let at = 0;
  const repeats = new Repeats({
    everyMs: 100,
    now: () => at,
    tell: (error, times) => told.push([(error as Error).message, times]),
  });
  for (at = 0; at < 250; at += 10) repeats.note(new Error('away'));
  repeats.note(new Error('another'));
  expect(told).toEqual([
    ['away', 1],
    ['away', 10],
    ['away', 10],
    ['another', 1],
  ]);
});
