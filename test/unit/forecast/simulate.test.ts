/** Working queues off in one's head: starts computed by hand. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { simulate, startInMs } from '../../../coordinator/forecast/simulate.ts';
import type { Server, WaitingClass } from '../../../coordinator/forecast/simulate.ts';

const fifo = (jobs: number, first = 0): WaitingClass => ({ jobs, orderAt: (taken) => first + taken });
const server = (spacingMs: (number | undefined)[], freeInMs = 0, burst = 0): Server => ({
  spacingMs,
  freeInMs,
  burst,
});
const starts = (classes: WaitingClass[], servers: Server[], at: number): (number | undefined)[] => {
  const curve = simulate(classes, servers)[at] as ReturnType<typeof simulate>[number];
  return Array.from({ length: (classes[at] as WaitingClass).jobs }, (_, before) => startInMs(curve, before));
};

describe('one queue', () => {
  test('one agent takes one after the other', () => {
    expect(starts([fifo(4)], [server([100], 30)], 0)).toEqual([30, 130, 230, 330]);
  });

  test('free slots start together', () => {
    expect(starts([fifo(5)], [server([50], 0, 3)], 0)[0]).toBe(0);
    expect(starts([fifo(5)], [server([50], 0, 3)], 0)[3]).toBe(50);
  });

  test('two unequal agents share it', () => {
    expect(starts([fifo(6)], [server([100]), server([300], 10)], 0)).toEqual([0, 10, 100, 200, 300, 310]);
  });

  test('nobody takes it', () => {
    expect(starts([fifo(2)], [server([undefined])], 0)).toEqual([undefined, undefined]);
  });
});

test('of two queues the older job goes first', () => {
  const classes = [fifo(3, 10), fifo(2, 5)];
  expect(starts(classes, [server([100, 40])], 1)).toEqual([0, 40]);
  expect(starts(classes, [server([100, 40])], 0)).toEqual([80, 180, 280]);
});

test('an agent that serves one of them only does not wait for the other', () => {
  const classes = [fifo(2, 10), fifo(2, 5)];
  expect(starts(classes, [server([100, undefined]), server([100, 100])], 0)).toEqual([0, 100]);
});

test('starts never go back, whatever the queues and agents, and a million jobs take no longer than thousands', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(2000), { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.nat(100), fc.nat(4)), {
        minLength: 1,
        maxLength: 5,
      }),
      (sizes, agents) => {
        const classes = sizes.map((jobs, index) => fifo(jobs, index * 7));
        const servers = agents.map(([spacing, free, burst]) =>
          server(
            sizes.map(() => spacing),
            free,
            burst,
          ),
        );
        for (const [index, curve] of simulate(classes, servers).entries()) {
          expect(curve.taken.length).toBeLessThanOrEqual(4097 + servers.length * 5);
          let last = 0;
          for (let before = 0; before < (sizes[index] as number); before += 97) {
            const at = startInMs(curve, before) as number;
            expect(at).toBeGreaterThanOrEqual(last - 1e-6);
            last = at;
          }
        }
      },
    ),
    { numRuns: 100 },
  );
  const [curve] = simulate([fifo(1_000_000)], [server([1])]);
  expect(curve?.taken.length).toBeLessThanOrEqual(4097);
  expect(startInMs(curve as never, 500_000)).toBeCloseTo(500_000, -3);
});
