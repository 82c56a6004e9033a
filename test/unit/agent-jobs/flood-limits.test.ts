import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ChunkBuffer, INTERVAL_MS, MAX_LENGTH } from '../../../agent/jobs/chunk-buffer.ts';
import { LineLimit, PER_SECOND } from '../../../agent/jobs/line-limit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('streamed text is passed on whole, in order, in few pieces', () => {
  const sent: [number, string][] = [];
  const buffer = new ChunkBuffer(
    (index, data) => void sent.push([index, data]),
    () => Date.now(),
  );
  for (const text of ['a', 'b', '', 'c']) buffer.add(text);
  expect(sent).toEqual([[0, 'a']]);
  vi.advanceTimersByTime(INTERVAL_MS);
  expect(sent.at(-1)).toEqual([1, 'bc']);
  const long = 'x'.repeat(MAX_LENGTH);
  buffer.add('d');
  buffer.add(long);
  expect(sent.at(-1)).toEqual([2, `d${long}`]);
  buffer.add('end');
  buffer.close();
  buffer.close();
  vi.advanceTimersByTime(INTERVAL_MS);
  expect(sent.slice(3)).toEqual([[3, 'end']]);
});

it('lines beyond the limit are counted, and told with the next that passes', () => {
  let now = 0;
  const limit = new LineLimit(() => now);
  const first = Array.from({ length: PER_SECOND + 7 }, () => limit.admit());
  expect(first.filter((one) => one === null)).toHaveLength(7);
  now = 1000;
  expect([limit.admit(), limit.admit()]).toEqual([{ droppedBefore: 7 }, { droppedBefore: 0 }]);
});
