/** Ids, slots and group commit, for any input. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batcher } from '../../coordinator/queue/batcher.ts';
import {
  cellIndexOf,
  jobId,
  jobRef,
  makeCell,
  keys,
  parseJobId,
  parseWorkflowId,
  workflowId,
  workflowKey,
} from '../../coordinator/queue/keys.ts';
import { cellTag, slotOf } from '../../coordinator/queue/slots.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const cells = fc.integer({ min: 1, max: 1296 });

test('whatever the tenant and the request id, the id can be read back and names a cell there is', () => {
  fc.assert(
    fc.property(text, text, cells, (tenant, request, count) => {
      const wid = workflowKey(tenant, request, count);
      expect(parseWorkflowId(workflowId(wid))).toBe(wid);
      expect(cellIndexOf(wid)).toBeGreaterThanOrEqual(0);
      expect(cellIndexOf(wid)).toBeLessThan(count);
    }),
  );
});

test('no two requests share a workflow', () => {
  fc.assert(
    fc.property(text, text, text, text, (tenant, request, otherTenant, otherRequest) => {
      const same = tenant === otherTenant && request === otherRequest;
      expect(workflowKey(tenant, request, 1) === workflowKey(otherTenant, otherRequest, 1)).toBe(same);
    }),
  );
});

test('a job id gives back what it was made of, and lies with its workflow', () => {
  fc.assert(
    fc.property(text, fc.nat({ max: 99_999 }), fc.nat({ max: 9_999_999 }), (request, step, ordinal) => {
      const wid = workflowKey('acme', request, 6);
      const ref = jobRef(wid, step, ordinal);
      expect(parseJobId(jobId(ref))).toEqual({ wid, step, ordinal, ref });
      const cell = makeCell('dibs', 0, 'c0');
      expect(keys.bucket(cell, ref)).toBe(keys.bucket(cell, wid));
    }),
  );
});

test('however many cells, each has a slot of its own share', () => {
  fc.assert(
    fc.property(
      cells.chain((count) => fc.tuple(fc.constant(count), fc.nat({ max: count - 1 }))),
      ([count, index]) => {
        const slot = slotOf(cellTag(index, count));
        expect(slot).toBeGreaterThanOrEqual(Math.floor((index * 16_384) / count));
        expect(slot).toBeLessThan(Math.floor(((index + 1) * 16_384) / count));
      },
    ),
  );
});

class Unreachable extends Error {}

test('group commit: every item is answered once, by the call that took it, and calls keep the order', async () => {
  const outcomes = fc.array(fc.constantFrom('answer', 'answer', 'lose', 'refuse'), { maxLength: 40 });
  const waves = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      waves,
      outcomes,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 3 }),
      async (sizes, script, maxItems, maxInFlight) => {
        const sent: number[] = [];
        let inFlight = 0;
        let calls = 0;
        const batcher = new Batcher<number, string>({
          maxItems,
          maxInFlight,
          isTransient: (error) => error instanceof Unreachable,
          clock: { now: () => 0, sleep: () => Promise.resolve() },
          send: async (items) => {
            const outcome = script[calls++] ?? 'answer';
            inFlight++;
            expect(inFlight).toBeLessThanOrEqual(maxInFlight);
            expect(items.length).toBeLessThanOrEqual(maxItems);
            sent.push(...items);
            await Promise.resolve();
            inFlight--;
            if (outcome === 'lose') throw new Unreachable();
            if (outcome === 'refuse') throw new Error('refused');
            return items.map((item) => `r${item}`);
          },
        });
        let next = 0;
        const answers: Promise<string>[] = [];
        for (const size of sizes) {
          for (let i = 0; i < size; i++) {
            const item = next++;
            answers.push(batcher.add(item).catch((error: unknown) => `${item} ${(error as Error).message}`));
          }
          await Promise.resolve();
        }
        const got = await Promise.all(answers);
        got.forEach((answer, item) => expect([`r${item}`, `${item} refused`]).toContain(answer));
        expect(batcher.pending).toBe(0);
        // Each left for the first time in the order it came.
        expect([...new Set(sent)]).toEqual(Array.from({ length: next }, (_, item) => item));
      },
    ),
  );
});
