import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { aheadOf, maxAhead } from '../../../agent/claim/ahead.ts';
import { CreditBook } from '../../../agent/claim/credits.ts';
import { planSlots, slotTotal } from '../../../agent/claim/slots-plan.ts';
import { Slots } from '../../../agent/claim/slots.ts';

const TYPES = ['a', 'b', 'c'] as const;
/** a and b share slots, c has its own. */
const GROUP_OF = { a: 0, b: 0, c: 1 } as const;

const shape = fc.record({
  totals: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
  maxAhead: fc.integer({ min: 0, max: 4 }),
  concurrency: fc.tuple(...TYPES.map(() => fc.integer({ min: 1, max: 5 }))),
  steps: fc.array(
    fc.record({
      type: fc.constantFrom(...TYPES),
      act: fc.constantFrom('hold', 'run', 'end', 'drop', 'ahead'),
      ahead: fc.integer({ min: -1, max: 9 }),
    }),
    { maxLength: 200 },
  ),
});

const one = (total: number, maxAhead: number, ...types: readonly [string, number][]): Slots =>
  new Slots([{ total, types: types.map(([type, concurrency]) => ({ type, concurrency })) }], maxAhead);

describe('slots', () => {
  it('are never more than capacity, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(shape, ({ totals, maxAhead: most, concurrency, steps }) => {
        const slots = new Slots(
          totals.map((total, group) => ({
            total,
            types: TYPES.flatMap((type, index) =>
              GROUP_OF[type] === group ? [{ type, concurrency: concurrency[index] as number }] : [],
            ),
          })),
          most,
        );
        const model = {
          a: { waiting: 0, running: 0 },
          b: { waiting: 0, running: 0 },
          c: { waiting: 0, running: 0 },
        };
        for (const { type, act, ahead } of steps) {
          const of = model[type];
          if (act === 'hold' && slots.admits(type)) {
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

          const running = [0, 0];
          const held = [0, 0];
          for (const [index, name] of TYPES.entries()) {
            const { running: r, waiting: w } = model[name];
            running[GROUP_OF[name]]! += r;
            held[GROUP_OF[name]]! += r + w;
            expect(r).toBeLessThanOrEqual(concurrency[index] as number);
            expect(r + w).toBeLessThanOrEqual((concurrency[index] as number) + most);
            expect(slots.free(name)).toBeGreaterThanOrEqual(0);
            expect(slots.free(name)).toBeLessThanOrEqual(slots.freeTotal());
            // What is asked for is admissible.
            if (slots.free(name) > 0) expect(slots.admits(name)).toBe(true);
          }
          for (const [group, total] of totals.entries()) {
            expect(running[group]).toBeLessThanOrEqual(total);
            expect(held[group]).toBeLessThanOrEqual(total + most);
          }
          expect(slots.running + slots.waiting).toBe((held[0] as number) + (held[1] as number));
        }
      }),
    );
  });

  it('admit everything that was asked for, also after the queue ahead was made shorter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 64 }), (concurrency, ahead) => {
        const slots = one(concurrency, 64, ['a', concurrency]);
        slots.setAhead('a', ahead);
        const asked = slots.free('a');
        slots.setAhead('a', 0);
        for (let offer = 0; offer < asked; offer += 1) {
          expect(slots.admits('a')).toBe(true);
          slots.hold('a');
        }
      }),
    );
  });

  it('refuse what was not held or has no room: that is a bug', () => {
    const slots = one(1, 0, ['a', 1]);
    expect(() => slots.release('a', 'running')).toThrow();
    slots.hold('a');
    expect(() => slots.hold('a')).toThrow();
    expect(() => slots.hold('unknown')).toThrow();
  });
});

describe('the plan', () => {
  const executors = [
    { type: 'p', concurrency: 2, isolation: 'process' },
    { type: 'q', concurrency: 2, isolation: 'process' },
    { type: 'i', concurrency: 256, isolation: 'inline' },
  ] as const;

  it('lets processes share the cores, and inline jobs their thread', () => {
    const plan = planSlots('auto', 2, executors);
    expect(plan.map(({ total, types }) => [total, types.map(({ type }) => type)])).toEqual([
      [2, ['p', 'q']],
      [256, ['i']],
    ]);
    expect(slotTotal(plan)).toBe(258);
    expect(planSlots('auto', 2, [{ ...executors[0], concurrency: 16 }])).toMatchObject([{ total: 16 }]);
    expect(planSlots('auto', 8, executors.slice(2))).toHaveLength(1);
    expect(planSlots('auto', 8, [])).toEqual([]);
  });

  it('is one group when the owner says how many', () => {
    expect(planSlots(3, 8, executors)).toMatchObject([
      { total: 3, types: [{ type: 'p' }, { type: 'q' }, { type: 'i' }] },
    ]);
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

  it('is as many as run at once where many short jobs may end together', () => {
    const many = { isolation: 'process', concurrency: 200 } as const;
    expect(aheadOf('auto', many, 100)).toBe(200);
    expect(aheadOf('auto', many, 200)).toBe(200);
    expect(aheadOf('auto', many, 1000)).toBe(4);
    expect(aheadOf('auto', { ...many, concurrency: 1000 }, 100)).toBe(256);
    // With few places a job would wait for long while somebody else is idle.
    expect(aheadOf('auto', process, 100)).toBe(0);
  });

  it('is nothing for a process nobody has seen run, and a few for inline', () => {
    expect(aheadOf('auto', process, undefined)).toBe(0);
    expect(aheadOf('auto', inline, undefined)).toBe(4);
  });

  it('is what the owner says', () => {
    expect(aheadOf(7, process, 5000)).toBe(7);
    expect([maxAhead(7), maxAhead(0), maxAhead('auto')]).toEqual([7, 0, 256]);
  });
});

describe('credits', () => {
  const make = (): { slots: Slots; book: CreditBook } => ({
    slots: one(4, 8, ['a', 4], ['b', 2]),
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
      fc.property(
        fc.array(fc.constantFrom('offer-a', 'offer-b', 'end-a', 'end-b', 'speak'), { maxLength: 120 }),
        (steps) => {
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
        },
      ),
    );
  });
});
