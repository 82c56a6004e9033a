import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { INTERVAL_MS, ProgressMeter } from '../../../agent/jobs/progress-meter.ts';

let sent: string[];
let meter: ProgressMeter;
beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  meter = new ProgressMeter(
    (fraction, message) => sent.push(`${fraction} ${message}`),
    () => Date.now(),
  );
});
afterEach(() => vi.useRealTimers());

it('sends the first at once and then the newest, four times a second', () => {
  for (let i = 0; i <= 100; i++) {
    meter.report(i / 100, `${i}`);
    vi.advanceTimersByTime(10);
  }
  expect(sent[0]).toBe('0 0');
  expect(sent.length).toBeLessThanOrEqual(1 + Math.ceil(1010 / INTERVAL_MS));
  vi.advanceTimersByTime(INTERVAL_MS);
  expect(sent.at(-1)).toBe('1 100');
});

it('never goes back, never leaves 0 to 1', () => {
  for (const fraction of [0.5, 0.2, -1, 7, Number.NaN]) {
    meter.report(fraction);
    vi.advanceTimersByTime(INTERVAL_MS);
  }
  expect(sent).toEqual(['0.5 ', '0.5 ', '0.5 ', '1 ']);
});

it('sends without a timer where the interval has passed', () => {
  let now = 0;
  const busy = new ProgressMeter(
    (fraction) => sent.push(String(fraction)),
    () => now,
  );
  busy.report(0.1);
  busy.report(0.2);
  now = INTERVAL_MS;
  busy.report(0.3);
  expect(sent).toEqual(['0.1', '0.3']);
  vi.advanceTimersByTime(INTERVAL_MS * 2);
  expect(sent).toEqual(['0.1', '0.3']);
});

it('sends nothing after close', () => {
  meter.report(0.1);
  meter.report(0.2);
  meter.close();
  meter.report(0.3);
  vi.advanceTimersByTime(INTERVAL_MS * 2);
  expect(sent).toEqual(['0.1 ']);
});
