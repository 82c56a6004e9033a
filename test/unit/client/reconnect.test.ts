import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../sdk/client/backoff.ts';
import { DibsError } from '../../../sdk/client/index.ts';
import { Patience } from '../../../sdk/client/reconnect.ts';

const gone = new DibsError('DRAINING', 'leaving');

describe('backoff', () => {
  it('doubles up to its cap and never falls below half', () => {
    expect([0, 1, 2, 3, 10, 1_000].map((attempt) => backoffMs(attempt, 1))).toEqual([
      100, 200, 400, 800, 3_000, 3_000,
    ]);
    expect(backoffMs(3, 0)).toBe(400);
  });
});

describe('patience', () => {
  it('gives a first connection five seconds and a lost one as long as it was told', () => {
    const fresh = new Patience(60_000);
    expect(fresh.failed(gone, 0, 1)).toBe(100);
    expect(fresh.failed(gone, 4_900, 1)).toBeUndefined();

    const known = new Patience(60_000);
    known.succeeded();
    expect(known.failed(gone, 0, 1)).toBe(100);
    expect(known.failed(gone, 50_000, 1)).toBe(200);
    expect(known.failed(gone, 60_000, 1)).toBeUndefined();
  });

  it('forgets failures with one success, and when told to', () => {
    const patience = new Patience(1_000);
    patience.succeeded();
    patience.failed(gone, 0, 1);
    patience.succeeded();
    expect(patience.failed(gone, 100_000, 1)).toBe(100);
    patience.restart();
    expect(patience.failed(gone, 900_000, 1)).toBe(100);
  });

  it('waits no shorter than the server asks, and not at all for what cannot get better', () => {
    const patience = new Patience(60_000);
    expect(
      patience.failed(new DibsError('STORE_UNAVAILABLE', 'loading', { retryAfterMs: 2_000 }), 0, 1),
    ).toBe(2_000);
    expect(patience.failed(new DibsError('UNAUTHENTICATED', 'who?'), 0, 1)).toBeUndefined();
  });
});
