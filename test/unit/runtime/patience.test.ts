/** A start waits Redis out, and only that. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../runtime/manual-clock.ts';
import { patiently } from '../../../runtime/redis/patience.ts';

const away = (): Error => new Error('Connection is closed.');

test('gives the answer that comes after Redis was away for a while', async () => {
  const clock = new ManualClock();
  let calls = 0;
  const answer = patiently(
    async () => {
      if (++calls < 4) throw away();
      return 'here';
    },
    { clock },
  );
  await clock.advance(600);
  expect(await answer).toBe('here');
  expect(calls).toBe(4);
});

test('gives up after its time, with the last error', async () => {
  const clock = new ManualClock();
  const answer = patiently(() => Promise.reject(away()), { clock, timeoutMs: 1000 });
  answer.catch(() => undefined);
  await clock.advance(1200);
  await expect(answer).rejects.toThrow('Connection is closed.');
  expect(clock.pending).toBe(0);
});

test('does not wait for what waiting does not mend', async () => {
  const clock = new ManualClock();
  let calls = 0;
  const answer = patiently(
    () => {
      calls++;
      return Promise.reject(new Error('WRONGTYPE'));
    },
    { clock },
  );
  await expect(answer).rejects.toThrow('WRONGTYPE');
  expect(calls).toBe(1);
});
