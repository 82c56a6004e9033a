/** Memory of GPUs and of the box is never promised twice. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ledger } from '../../../agent/claim/ledger.ts';
import type { LedgerNeed, Placement } from '../../../agent/claim/ledger.ts';

const GIB = 2 ** 30;
const need = (type: string, gpus: number, vramGib: number, memoryGib = 0): LedgerNeed => ({
  type,
  gpus,
  vramBytes: vramGib * GIB,
  memoryBytes: memoryGib * GIB,
});
const box = (...gib: number[]) => gib.map((size, index) => ({ uuid: `GPU-${index}`, vramBytes: size * GIB }));

describe('placing', () => {
  test('jobs spread over GPUs, and several share one as long as they fit', () => {
    const ledger = new Ledger([need('a', 1, 10)], box(24, 24), 64 * GIB);
    expect(ledger.room('a', 99)).toBe(4);
    const got = Array.from({ length: 4 }, () => ledger.take('a')?.gpus[0]);
    expect(got).toEqual(['GPU-0', 'GPU-1', 'GPU-0', 'GPU-1']);
    expect([ledger.take('a'), ledger.missing('a'), ledger.room('a', 1)]).toEqual([undefined, 'vram', 0]);
  });

  test('two types share the same GPUs', () => {
    const ledger = new Ledger([need('small', 1, 6), need('whole', 1, 0)], box(24, 24), 64 * GIB);
    expect(ledger.room('whole', 9)).toBe(2);
    const small = ledger.take('small') as Placement;
    expect(ledger.room('whole', 9)).toBe(1);
    expect(ledger.take('whole')?.gpus).toEqual(['GPU-1']);
    expect(ledger.room('small', 9)).toBe(3);
    ledger.give(small);
    expect(ledger.freeBytes()).toEqual([24 * GIB, 0]);
  });

  test('several GPUs at once: all or none', () => {
    const ledger = new Ledger([need('pair', 2, 20), need('one', 1, 8)], box(24, 40, 24), 64 * GIB);
    expect(ledger.take('pair')?.gpus).toEqual(['GPU-1', 'GPU-0']);
    expect(ledger.take('one')?.gpus).toEqual(['GPU-2']);
    expect([ledger.room('pair', 9), ledger.take('pair')]).toEqual([0, undefined]);
  });

  test('memory of the box', () => {
    const ledger = new Ledger([need('big', 0, 0, 40)], [], 64 * GIB);
    expect(ledger.room('big', 9)).toBe(1);
    const first = ledger.take('big') as Placement;
    expect(ledger.missing('big')).toBe('memory');
    ledger.give(first);
    expect(ledger.missing('big')).toBeUndefined();
  });

  test('memory alone, without a number of GPUs, means one', () => {
    expect(new Ledger([need('a', 0, 8)], box(24), 0).take('a')?.gpus).toEqual(['GPU-0']);
  });

  test('what needs nothing always fits', () => {
    const ledger = new Ledger([need('free', 0, 0)], [], 0);
    expect([ledger.counts('free'), ledger.room('free', 7), ledger.take('free')]).toEqual([
      false,
      7,
      undefined,
    ]);
  });

  test('GPUs come and go: what stays keeps what it promised', () => {
    const ledger = new Ledger([need('a', 1, 10)], box(24, 24), 0);
    const [one, other] = [ledger.take('a'), ledger.take('a')] as [Placement, Placement];
    ledger.saw(box(24));
    expect(ledger.freeBytes()).toEqual([14 * GIB]);
    ledger.give(other);
    ledger.give(one);
    expect(ledger.freeBytes()).toEqual([24 * GIB]);
    ledger.saw(box(24, 48));
    expect(ledger.freeBytes()).toEqual([24 * GIB, 48 * GIB]);
  });
});

test('whatever is taken and given back, no GPU has more promised than it has, and in the end all is free', () => {
  const needs = [need('a', 1, 7), need('b', 2, 11, 3), need('c', 1, 0), need('d', 0, 0, 9), need('e', 3, 5)];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(8, 16, 24, 80), { maxLength: 5 }),
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.boolean(), fc.nat(20)), {
        maxLength: 60,
      }),
      (sizes, steps) => {
        const gpus = box(...sizes);
        const ledger = new Ledger(needs, gpus, 20 * GIB);
        const held: Placement[] = [];
        for (const [type, takes, which] of steps) {
          if (takes) {
            const room = ledger.room(type, 99);
            const got = ledger.take(type);
            expect(got !== undefined).toBe(room > 0);
            expect(ledger.missing(type) === undefined).toBe(ledger.room(type, 1) === 1);
            if (got !== undefined) {
              held.push(got);
              expect(new Set(got.gpus).size).toBe(got.gpus.length);
            }
          } else if (held.length > 0) ledger.give(held.splice(which % held.length, 1)[0] as Placement);
          for (const [index, { uuid, vramBytes }] of gpus.entries()) {
            let taken = 0;
            for (const one of held) taken += one.vramBytes[one.gpus.indexOf(uuid)] ?? 0;
            expect(taken).toBeLessThanOrEqual(vramBytes);
            expect(ledger.freeBytes()[index]).toBe(vramBytes - taken);
          }
          expect(held.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)).toBeLessThanOrEqual(20 * GIB);
        }
        for (const one of held) ledger.give(one);
        expect(ledger.freeBytes()).toEqual(gpus.map(({ vramBytes }) => vramBytes));
      },
    ),
    { numRuns: 300 },
  );
});
