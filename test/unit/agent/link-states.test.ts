import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { LINK_BACKOFF, backoffMs, failuresAfter } from '../../../agent/link/backoff.ts';
import {
  coordinators,
  currentAddress,
  nextAddress,
  parseAddresses,
} from '../../../agent/link/coordinators.ts';
import { LINK_TRANSITIONS, allows, step } from '../../../agent/link/states.ts';
import type { LinkEvent, LinkState } from '../../../agent/link/states.ts';

const STATES = Object.keys(LINK_TRANSITIONS) as LinkState[];

describe('link states', () => {
  it('reach every state from idle, and closed from everywhere', () => {
    const reachable = (from: LinkState): Set<LinkState> => {
      const found = new Set<LinkState>([from]);
      for (const state of found) for (const next of Object.values(LINK_TRANSITIONS[state])) found.add(next);
      return found;
    };
    expect([...reachable('idle')].toSorted()).toEqual(STATES.toSorted());
    for (const state of STATES) expect(reachable(state)).toContain('closed');
  });

  it('leave closed by nothing', () => {
    expect(Object.values(LINK_TRANSITIONS.closed)).toEqual(['closed']);
  });

  it('take a stop in every state, and a refusal in every state that talks', () => {
    for (const state of STATES) expect(allows(state, 'stop')).toBe(true);
    for (const state of ['connecting', 'greeting', 'live', 'draining'] as const)
      expect(step(state, 'refused')).toBe('closed');
  });

  it('throw for a pair outside the table', () => {
    expect(() => step('idle', 'welcomed')).toThrow('welcomed cannot happen in idle');
    expect(() => step('waiting', 'opened' satisfies LinkEvent)).toThrow();
  });
});

describe('backoff', () => {
  it('stays below the cap and below the doubled base', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 0.999999, noNaN: true }), (failures, random) => {
        const wait = backoffMs(failures, LINK_BACKOFF, random);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThan(LINK_BACKOFF.capMs);
        if (failures < 7) expect(wait).toBeLessThanOrEqual(LINK_BACKOFF.baseMs * 2 ** failures);
      }),
    );
  });

  it('forgets failures only after a session that lasted', () => {
    expect(failuresAfter(4, LINK_BACKOFF.stableMs, LINK_BACKOFF)).toBe(0);
    expect(failuresAfter(4, LINK_BACKOFF.stableMs - 1, LINK_BACKOFF)).toBe(5);
  });
});

describe('coordinators', () => {
  it('are all tried before one is tried again, wherever the turn begins', () => {
    for (const random of [0, 0.34, 0.99]) {
      let list = coordinators(['a:1', 'b:1', 'c:1'], random);
      const tried = [0, 1, 2].map(() => {
        const address = currentAddress(list);
        list = nextAddress(list);
        return address;
      });
      expect(tried.toSorted()).toEqual(['a:1', 'b:1', 'c:1']);
    }
  });

  it('are read from a list, with the default port where none is given', () => {
    expect(parseAddresses('one, two:8000,[::1]:7,[fe80::1],unix:/run/dibs.sock', 7400)).toEqual([
      'one:7400',
      'two:8000',
      '[::1]:7',
      '[fe80::1]:7400',
      'unix:/run/dibs.sock',
    ]);
    for (const wrong of ['', 'a:b', 'a:99999', 'http://x:1', 'a b'])
      expect(() => parseAddresses(wrong, 7400)).toThrow('coordinator');
  });
});
