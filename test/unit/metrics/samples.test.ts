/** What is counted of jobs that ended adds up, though not all of them are looked at. */
import { expect, test } from 'vitest';
import { Counters } from '../../../coordinator/metrics/counters.ts';
import { JobSamples } from '../../../coordinator/metrics/samples.ts';

const REF = `${'0'.repeat(26)}-0-0`;
const RECORD = { queuedAt: 1000, startedAt: 3000, completedAt: 3500 };

function world(answer: () => Promise<unknown[]>) {
  const counters = new Counters();
  const errors: unknown[] = [];
  let reads = 0;
  const samples = new JobSamples({
    cells: [{}, {}] as never,
    reads: {
      jobs: () => {
        reads++;
        return answer() as never;
      },
    },
    counters,
    monotonic: () => 5000,
    onError: (error) => errors.push(error),
  });
  const count = (type: string): number => counters.waits.of(type).count;
  return { samples, counters, errors, count, reads: () => reads };
}

test('few are looked at, all are counted once settled', async () => {
  const { samples, counters, count, reads } = world(() => Promise.resolve([RECORD]));
  for (let i = 0; i < 300; i++) samples.ended(REF, 'a');
  samples.ended(REF, 'b');
  await samples.settle();
  expect([count('a'), count('b')]).toEqual([300, 1]);
  expect(reads()).toBe(52);
  expect(counters.waits.of('a').sum).toBe(600);
  expect(counters.runs.of('a').sum).toBe(150);
  await samples.settle();
  expect([count('a'), reads()]).toEqual([300, 52]);
});

test('what could not be read is counted when it can', async () => {
  let isAway = true;
  const { samples, count, errors } = world(() =>
    isAway ? Promise.reject(new Error('away')) : Promise.resolve([RECORD]),
  );
  for (let i = 0; i < 3; i++) samples.ended(REF, 'a');
  await samples.settle();
  expect([count('a'), errors.length]).toEqual([0, 3]);
  isAway = false;
  await samples.settle();
  expect(count('a')).toBe(3);
});

test('a job whose record is gone is counted with the next of its type', async () => {
  const records: unknown[] = [undefined];
  const { samples, count, reads } = world(() => Promise.resolve(records));
  samples.ended(REF, 'a');
  await samples.settle();
  await samples.settle();
  expect([count('a'), reads()]).toEqual([0, 1]);
  records[0] = RECORD;
  samples.ended(REF, 'a');
  await samples.settle();
  expect(count('a')).toBe(2);
});
