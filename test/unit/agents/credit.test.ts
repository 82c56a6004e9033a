/** The standing claim of an agent, as the coordinator counts it. */
import { describe, expect, test } from 'vitest';
import { Credit } from '../../../coordinator/agents/credit.ts';

const OFFER_MS = 1000;

function started(total = 10, byType: Record<string, number> = {}) {
  let nowMs = 5_000_000;
  const credit = new Credit({ now: () => nowMs, offerMs: OFFER_MS });
  credit.state({ total, byType, revision: 1, offersSeen: 0 });
  const offer = (): void => credit.offered('x', nowMs);
  return { credit, offer, pass: (ms: number) => void (nowMs += ms) };
}

test('offers under way and jobs asked for are subtracted, until a statement counts them', () => {
  const { credit, offer } = started(5, { x: 2 });
  expect([credit.open, credit.openOf('x'), credit.openOf('y')]).toEqual([5, 2, 5]);
  credit.reserve(1);
  offer();
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
    const { credit, offer, pass } = started();
    offer();
    offer();
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
      offer();
      expect(credit.open).toBe(0);
      pass(2 * OFFER_MS - 1);
      expect(credit.open).toBe(0);
    }
  });

  test('is silent since its offer was claimed, not since that was told', () => {
    const { credit, pass } = started();
    const claimedAt = credit.reserve(1);
    pass(300);
    credit.unreserve(1);
    credit.offered('x', claimedAt);
    pass(OFFER_MS - 300);
    // The offer lapses now at the latest: whoever claims next must not be the same agent.
    expect(credit.open).toBe(0);
  });

  test('has all of its credit again once it says something', () => {
    const { credit, offer, pass } = started();
    offer();
    pass(OFFER_MS);
    expect(credit.open).toBe(0);
    credit.heard();
    expect(credit.open).toBe(9);
    offer();
    pass(OFFER_MS - 1);
    expect(credit.open).toBe(8);
  });

  test('a word in time is enough, whichever offer it was about', () => {
    const { credit, offer, pass } = started();
    for (let round = 0; round < 5; round++) {
      offer();
      pass(OFFER_MS - 1);
      credit.heard();
      pass(10 * OFFER_MS);
    }
    expect(credit.open).toBe(5);
  });
});
