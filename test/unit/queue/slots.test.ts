/** Hash slots as Redis Cluster counts them, and tags spread evenly over them. */
import { describe, expect, test } from 'vitest';
import { cellTag, slotOf } from '../../../coordinator/queue/slots.ts';

describe('slotOf', () => {
  // As CLUSTER KEYSLOT answers.
  test.each([
    ['', 0],
    ['123456789', 12_739],
    ['foo', 12_182],
    ['bar', 5_061],
    ['user1000', 3_443],
    ['ü', 9_552],
  ])('%j', (tag, slot) => {
    expect(slotOf(tag)).toBe(slot);
  });
});

describe('cellTag', () => {
  test.each([1, 2, 3, 6, 7, 12, 64, 500])('%i cells lie evenly in the slots', (count) => {
    const slots = Array.from({ length: count }, (_, index) => slotOf(cellTag(index, count)));
    const start = (index: number): number => Math.floor((index * 16_384) / count);
    slots.forEach((slot, index) => expect(start(index) <= slot && slot < start(index + 1)).toBe(true));
  });

  test.each([
    [3, 6],
    [5, 10],
    [4, 16],
  ])('%i masters get as many of %i cells each', (masters, count) => {
    const owners = Array.from({ length: count }, (_, index) =>
      Math.floor((slotOf(cellTag(index, count)) * masters) / 16_384),
    );
    for (let master = 0; master < masters; master++)
      expect(owners.filter((owner) => owner === master)).toHaveLength(count / masters);
  });

  test('tags differ, and need no escaping in a key', () => {
    const tags = Array.from({ length: 200 }, (_, index) => cellTag(index, 200));
    expect(new Set(tags).size).toBe(200);
    for (const tag of tags) expect(tag).toMatch(/^c\d+\.[0-9a-z]+$/);
  });

  test('a tag stays what it is: keys are named by it', () => {
    expect([cellTag(0, 1), cellTag(0, 6), cellTag(5, 6)]).toEqual(['c0.0', 'c0.1', 'c5.0']);
  });
});
