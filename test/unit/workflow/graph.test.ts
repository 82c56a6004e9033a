import { expect, test } from 'vitest';
import { findCycles, reverse, topologicalOrder } from '../../../coordinator/workflow/graph.ts';

const chain = (length: number): number[][] =>
  Array.from({ length }, (_, index) => (index === 0 ? [] : [index - 1]));

test.each([
  [[], []],
  [[[]], [0]],
  [
    [[1], []],
    [1, 0],
  ],
  [
    [[], [0], [0], [1, 2]],
    [0, 1, 2, 3],
  ],
  [
    [[2], [0], []],
    [2, 0, 1],
  ],
])('order of %j', (needs, order) => {
  expect(topologicalOrder(needs)).toEqual(order);
});

test('what stands on a cycle, or behind one, has no place in the order', () => {
  expect(topologicalOrder([[], [2], [1], [2], [0]])).toEqual([0, 4]);
});

test('reverse turns edges around, ascending', () => {
  expect(reverse([[], [0], [0, 1]])).toEqual([[1, 2], [2], []]);
});

test.each([
  ['none', [[], [0]], []],
  ['two steps', [[1], [0]], [[0, 1]]],
  ['three, from the lowest', [[], [3], [1], [2]], [[1, 3, 2]]],
  [
    'two of them',
    [[1], [0], [3], [2, 0]],
    [
      [0, 1],
      [2, 3],
    ],
  ],
  ['one of a knot', [[1, 2], [0], [0]], [[0, 1]]],
  [
    'not what lies between two',
    [[1], [0], [1], [4, 2], [3]],
    [
      [0, 1],
      [3, 4],
    ],
  ],
  ['not what lies behind', [[1], [0], [0], [2]], [[0, 1]]],
])('cycles: %s', (_what, needs, cycles) => {
  expect(findCycles(needs)).toEqual(cycles);
});

test('a cycle that does not pass through the lowest step of its knot still begins at its own lowest', () => {
  // 0 needs 1, 1 needs 2, 2 needs 1 and 0.
  expect(findCycles([[1], [2], [1, 0]])).toEqual([[1, 2]]);
});

test('a chain and a ring of 100,000 steps', () => {
  const needs = chain(100_000);
  expect(topologicalOrder(needs)).toHaveLength(100_000);
  expect(findCycles(needs)).toEqual([]);
  needs[0] = [99_999];
  expect(findCycles(needs)[0]).toHaveLength(100_000);
});
