/** Clocks: order of timers, cancelling, sleeping. */
import { expect, test } from 'vitest';
import { sleep, systemClock } from '../../../runtime/clock.ts';
import { ManualClock } from '../../../runtime/manual-clock.ts';

test('timers run in the order of their times, each at its time', async () => {
  const clock = new ManualClock(1_000);
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.now()}`);
  clock.schedule(20, note('b'));
  clock.schedule(10, note('a'));
  clock.schedule(20, note('c'));
  const cancel = clock.schedule(15, note('never'));
  cancel();
  await clock.advance(19);
  expect(seen).toEqual(['a@1010']);
  await clock.advance(1);
  expect(seen).toEqual(['a@1010', 'b@1020', 'c@1020']);
  expect(clock.monotonic()).toBe(20);
});

test('what a timer starts has settled before the next one', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  clock.schedule(10, () => {
    void Promise.resolve()
      .then(() => undefined)
      .then(() => clock.schedule(5, () => seen.push('nested at 15')));
  });
  clock.schedule(20, () => seen.push('at 20'));
  await clock.advance(20);
  expect(seen).toEqual(['nested at 15', 'at 20']);
});

test('sleep ends at its time, or when aborted', async () => {
  const clock = new ManualClock();
  let slept = false;
  const sleeping = sleep(clock, 50).then(() => (slept = true));
  await clock.advance(49);
  expect(slept).toBe(false);
  await clock.advance(1);
  await sleeping;
  const control = new AbortController();
  const aborted = sleep(clock, 1_000, control.signal);
  control.abort();
  await aborted;
  await sleep(clock, 1_000, control.signal);
  expect(clock.pending).toBe(0);
});

test('the system clock measures and cancels', async () => {
  const before = systemClock.monotonic();
  systemClock.schedule(0, () => expect.unreachable())();
  await sleep(systemClock, 1, AbortSignal.timeout(1_000));
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000);
});
