import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { aheadOf, maxAhead } from '../../../agent/claim/ahead.ts';
import { CreditBook } from '../../../agent/claim/credits.ts';
import { Slots, autoSlots } from '../../../agent/claim/slots.ts';

const TYPES = ['a', 'b', 'c'];

const shape = fc.record({
  total: fc.integer({ min: 1, max: 6 }),
  maxAhead: fc.integer({ min: 0, max: 4 }),
  concurrency: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 3, maxLength: 3 }),
  steps: fc.array(
    fc.record({
      type: fc.constantFrom(...TYPES),
      act: fc.constantFrom('hold', 'run', 'end', 'drop', 'ahead'),
      ahead: fc.integer({ min: -1, max: 9 }),
    }),
    { maxLength: 200 },
  ),
});

describe('slots', () => {
  it('are never more than capacity, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(shape, ({ total, maxAhead: most, concurrency, steps }) => {
        const slots = new Slots(total, most, TYPES.map((type, index) => [type, concurrency[index] as number] as const));
        const model = new Map(TYPES.map((type) => [type, { waiting: 0, running: 0 }]));
        for (const { type, act, ahead } of steps) {
          const of = model.get(type) as { waiting: number; running: number };
          if (act === 'hold' && slots.admitsAny() && slots.admits(type)) {
            slots.hold(type);
            of.waiting += 1;
          } else if (act === 'run' && slots.canRun(type)) {
            slots.run(type);
            of.waiting -= 1;
            of.running += 1;
          } else if (act === 'end' && of.running > 0) {
            slots.release(type, 'running');
            of.running -= 1;
          } else if (act === 'drop' && of.waiting > 0) {
            slots.release(type, 'waiting');
            of.waiting -= 1;
          } else if (act === 'ahead') slots.setAhead(type, ahead);

          let running = 0;
          let waiting = 0;
          for (const [index, name] of TYPES.entries()) {
            const { running: r, waiting: w } = model.get(name) as { waiting: number; running: number };
            running += r;
            waiting += w;
            expect(r).toBeLessThanOrEqual(concurrency[index] as number);
            expect(r + w).toBeLessThanOrEqual((concurrency[index] as number) + most);
            expect(slots.free(name)).toBeGreaterThanOrEqual(0);
            expect(slots.free(name)).toBeLessThanOrEqual(slots.freeTotal());
          }
          expect([slots.running, slots.waiting]).toEqual([running, waiting]);
          expect(running).toBeLessThanOrEqual(total);
          expect(running + waiting + slots.freeTotal()).toBeLessThanOrEqual(Math.max(total + most, running + waiting));
        }
      }),
    );
  });

  it('admit everything that was asked for, also after the queue ahead was made shorter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 64 }), (concurrency, ahead) => {
        const slots = new Slots(concurrency, 64, [['a', concurrency]]);
        slots.setAhead('a', ahead);
        const asked = slots.free('a');
        slots.setAhead('a', 0);
        for (let offer = 0; offer < asked; offer += 1) {
          expect(slots.admitsAny() && slots.admits('a')).toBe(true);
          slots.hold('a');
        }
      }),
    );
  });

  it('refuse what was not held or has no room: that is a bug', () => {
    const slots = new Slots(1, 0, [['a', 1]]);
    expect(() => slots.release('a', 'running')).toThrow();
    slots.hold('a');
    expect(() => slots.hold('a')).toThrow();
    expect(() => slots.hold('unknown')).toThrow();
  });

  it('are as many as cores, or as the most parallel executor can use', () => {
    expect(autoSlots(8, [1, 2])).toBe(8);
    expect(autoSlots(2, [256, 1])).toBe(256);
    expect(autoSlots(0, [])).toBe(1);
  });
});

describe('queue ahead', () => {
  const inline = { isolation: 'inline', concurrency: 4 } as const;
  const process = { isolation: 'process', concurrency: 4 } as const;

  it('holds what the slots finish in 20 ms, at most a batch', () => {
    expect(aheadOf('auto', process, 10)).toBe(8);
    expect(aheadOf('auto', process, 1000)).toBe(0);
    expect(aheadOf('auto', inline, 0.01)).toBe(64);
    expect(aheadOf('auto', inline, 0)).toBe(64);
  });

  it('is nothing for a process nobody has seen run, and a few for inline', () => {
    expect(aheadOf('auto', process, undefined)).toBe(0);
    expect(aheadOf('auto', inline, undefined)).toBe(4);
  });

  it('is what the owner says', () => {
    expect(aheadOf(7, process, 5000)).toBe(7);
    expect([maxAhead(7), maxAhead(0), maxAhead('auto')]).toEqual([7, 0, 64]);
  });
});

describe('credits', () => {
  const make = (): { slots: Slots; book: CreditBook } => ({
    slots: new Slots(4, 8, [
      ['a', 4],
      ['b', 2],
    ]),
    book: new CreditBook(),
  });

  it('say slots + queue ahead - held, per type and in all', () => {
    const { slots, book } = make();
    slots.setAhead('a', 3);
    expect(book.next(slots, true)).toEqual({ total: 7, byType: { a: 7, b: 2 }, revision: 1, offersSeen: 0 });
    book.sawOffer('a');
    slots.hold('a');
    book.sawOffer('b');
    slots.hold('b');
    slots.release('b', 'waiting');
    expect(book.next(slots, true)).toEqual({ total: 6, byType: { a: 6, b: 2 }, revision: 2, offersSeen: 2 });
  });

  it('are silent while the coordinator can work them out itself', () => {
    const { slots, book } = make();
    book.next(slots, true);
    book.sawOffer('a');
    slots.hold('a');
    expect(book.next(slots, true)).toBeUndefined();
    slots.run('a');
    expect(book.next(slots, true)).toBeUndefined();
    slots.release('a', 'running');
    expect(book.next(slots, true)).toMatchObject({ total: 4, offersSeen: 1 });
    expect(book.next(slots, true)).toBeUndefined();
  });

  it('are nothing while closed, said once, and all again after a new session', () => {
    const { slots, book } = make();
    book.next(slots, true);
    expect(book.next(slots, false)).toMatchObject({ total: 0, byType: { a: 0, b: 0 } });
    expect(book.next(slots, false)).toBeUndefined();
    book.sawOffer('a');
    book.reset();
    expect(book.next(slots, true)).toMatchObject({ total: 4, revision: 3, offersSeen: 0 });
  });

  it('always leave the coordinator with the right view: what it may still send is what there is room for', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('offer-a', 'offer-b', 'end-a', 'end-b', 'speak'), { maxLength: 120 }), (steps) => {
        const { slots, book } = make();
        let said = book.next(slots, true);
        let sent = 0;
        const held: Record<string, number> = { a: 0, b: 0 };
        for (const step of steps) {
          const [act, type] = step.split('-') as [string, string];
          const room = (said?.total ?? 0) - (sent - (said?.offersSeen ?? 0));
          if (act === 'offer' && room > 0 && slots.free(type) > 0) {
            sent += 1;
            book.sawOffer(type);
            slots.hold(type);
            held[type] = (held[type] as number) + 1;
          } else if (act === 'end' && (held[type] as number) > 0) {
            slots.release(type, 'waiting');
            held[type] = (held[type] as number) - 1;
          } else if (act === 'speak') {
            said = book.next(slots, true) ?? said;
            expect((said?.total ?? 0) - (sent - (said?.offersSeen ?? 0))).toBe(slots.freeTotal());
          }
        }
      }),
    );
  });
});
