/** The standing claim of an agent, as the coordinator counts it. */
import { describe, expect, test } from 'vitest';
import { Credit } from '../../../coordinator/agents/credit.ts';

const OFFER_MS = 1000;

function started(total = 10, byType: Record<string, number> = {}) {
  let nowMs = 5_000_000;
  const credit = new Credit({ now: () => nowMs, offerMs: OFFER_MS });
  credit.state({ total, byType, revision: 1, offersSeen: 0 });
  return { credit, pass: (ms: number) => void (nowMs += ms) };
}

test('offers under way and jobs asked for are subtracted, until a statement counts them', () => {
  const { credit } = started(5, { x: 2 });
  expect([credit.open, credit.openOf('x'), credit.openOf('y')]).toEqual([5, 2, 5]);
  credit.reserve(1);
  credit.offered('x');
  expect([credit.open, credit.openOf('x'), credit.openOf('y')]).toEqual([3, 0, 3]);
  credit.unreserve(1);
  credit.heard();
  credit.state({ total: 4, byType: { x: 1 }, revision: 2, offersSeen: 1 });
  expect([credit.open, credit.openOf('x')]).toEqual([4, 1]);
  credit.close();
  expect(credit.open).toBe(0);
});

describe('an agent that lets an offer lapse without a word', () => {
  test('gets nothing for one offer lease, then one at a time', () => {
    const { credit, pass } = started();
    credit.offered('x');
    credit.offered('x');
    pass(OFFER_MS - 1);
    expect(credit.open).toBe(8);
    pass(1);
    expect([credit.open, credit.openOf('x')]).toEqual([0, 0]);
    pass(OFFER_MS - 1);
    expect(credit.open).toBe(0);
    for (let round = 0; round < 3; round++) {
      pass(1);
      expect(credit.open).toBe(1);
      credit.reserve(1);
      expect(credit.open).toBe(0);
      credit.unreserve(1);
      credit.offered('x');
      expect(credit.open).toBe(0);
      pass(2 * OFFER_MS - 1);
      expect(credit.open).toBe(0);
    }
  });

  test('has all of its credit again once it says something', () => {
    const { credit, pass } = started();
    credit.offered('x');
    pass(OFFER_MS);
    expect(credit.open).toBe(0);
    credit.heard();
    expect(credit.open).toBe(9);
    credit.offered('x');
    pass(OFFER_MS - 1);
    expect(credit.open).toBe(8);
  });

  test('a word in time is enough, whichever offer it was about', () => {
    const { credit, pass } = started();
    for (let round = 0; round < 5; round++) {
      credit.offered('x');
      pass(OFFER_MS - 1);
      credit.heard();
      pass(10 * OFFER_MS);
    }
    expect(credit.open).toBe(5);
  });
});
