/** The longest way through what is left. */
import { expect, test } from 'vitest';
import { doneIn, latest } from '../../../coordinator/forecast/critical-path.ts';
import type { PathStep } from '../../../coordinator/forecast/critical-path.ts';

const step = (needs: number[], ms: number | undefined, over = false): PathStep => ({
  needs,
  over,
  takes: () => (ms === undefined ? undefined : { p50: ms, p90: 2 * ms }),
});

test('a diamond: the slower side counts', () => {
  const steps = [step([], 5, true), step([0], 10), step([0], 30), step([1, 2], 7)];
  const done = doneIn(steps);
  expect(done.map((span) => span?.p50)).toEqual([undefined, 10, 30, 37]);
  expect(latest(steps, done)).toEqual({ p50: 37, p90: 74 });
});

test('steps may be written before those they need', () => {
  const steps = [step([2], 1), step([], 2), step([1], 4)];
  expect(doneIn(steps).map((span) => span?.p50)).toEqual([7, 2, 6]);
});

test('what is not known is not known of anything behind it', () => {
  const steps = [step([], undefined), step([0], 10), step([], 3)];
  const done = doneIn(steps);
  expect(done).toEqual([undefined, undefined, { p50: 3, p90: 6 }]);
  expect(latest(steps, done)).toBeUndefined();
});

test('a backlog in front of a later step counts only as far as it outlasts what comes first', () => {
  const steps: PathStep[] = [
    step([], 100),
    { needs: [0], over: false, takes: (from) => ({ p50: Math.max(0, 150 - from.p50) + 5, p90: 5 }) },
  ];
  expect(doneIn(steps)[1]?.p50).toBe(155);
});

test('all over: nothing is left; a chain of 10,000 is no deep recursion', () => {
  expect(latest([step([], 1, true)], [undefined])).toBeUndefined();
  const chain = Array.from({ length: 10_000 }, (_, i) => step(i === 9999 ? [] : [i + 1], 1));
  expect(doneIn(chain)[0]?.p50).toBe(10_000);
});
