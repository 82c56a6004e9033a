/** The rules of a loop, under a clock that stands still until it is moved. */
import { describe, expect, test } from 'vitest';
import { Loop } from '../../../runtime/loop.ts';
import type { LoopOptions } from '../../../runtime/loop.ts';
import { ManualClock } from '../../../runtime/manual-clock.ts';

interface Made {
  readonly loop: Loop;
  readonly clock: ManualClock;
  readonly errors: unknown[];
  /** Times at which runs began. */
  readonly begun: number[];
  /** Ends the oldest run under way. */
  finish(): void;
  running(): number;
}

function make(options: Partial<LoopOptions> = {}, instant = true): Made {
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const begun: number[] = [];
  const open: (() => void)[] = [];
  let running = 0;
  const loop = new Loop({
    name: 'test',
    intervalMs: 100,
    jitter: 0,
    clock,
    onError: (error) => errors.push(error),
    run: async () => {
      begun.push(clock.monotonic());
      running += 1;
      if (!instant) await new Promise<void>((resolve) => open.push(resolve));
      running -= 1;
    },
    ...options,
  });
  return { loop, clock, errors, begun, finish: () => open.shift()?.(), running: () => running };
}

describe('a started loop', () => {
  test('runs once an interval, first after a pause', async () => {
    const { loop, clock, begun } = make();
    await loop.start();
    await loop.start();
    await clock.advance(350);
    expect(begun).toEqual([100, 200, 300]);
    await loop.stop();
  });

  test('runs at once when told to', async () => {
    const { loop, clock, begun } = make({ immediately: true });
    await loop.start();
    await clock.advance(100);
    expect(begun).toEqual([0, 100]);
    await loop.stop();
  });

  test('counts the pause from the end of a run, and never overlaps', async () => {
    const { loop, clock, begun, finish, running } = make({}, false);
    await loop.start();
    await clock.advance(450);
    expect([begun, running()]).toEqual([[100], 1]);
    finish();
    await clock.advance(100);
    expect(begun).toEqual([100, 550]);
    finish();
    await loop.stop();
  });

  test.each([
    [0, 80],
    [0.5, 100],
    [1, 120],
  ])('random %f with jitter 0.2 waits %i ms', async (random, wait) => {
    const { loop, clock, begun } = make({ jitter: 0.2, random: () => random });
    await loop.start();
    await clock.advance(wait);
    expect(begun).toEqual([wait]);
    await loop.stop();
  });

  test('goes on after a run that threw', async () => {
    const { loop, clock, errors } = make({ run: () => Promise.reject(new Error('once more')) });
    await loop.start();
    await clock.advance(200);
    expect(errors).toHaveLength(2);
    await loop.stop();
  });

  test('starts again after a stop', async () => {
    const { loop, clock, begun } = make();
    await loop.start();
    await loop.stop();
    await clock.advance(300);
    await loop.start();
    await clock.advance(100);
    expect(begun).toEqual([400]);
    await loop.stop();
  });
});

describe('runOnce', () => {
  test('runs without a start, and rejects with the error', async () => {
    const { loop, begun } = make();
    await loop.runOnce();
    expect(begun).toEqual([0]);
    await expect(make({ run: () => Promise.reject(new Error('no')) }).loop.runOnce()).rejects.toThrow('no');
  });

  test('during a run waits for it, then runs; several requests are one run', async () => {
    const { loop, clock, begun, finish } = make({}, false);
    const first = loop.runOnce();
    const second = loop.runOnce();
    const third = loop.runOnce();
    expect(second).toBe(third);
    await clock.advance(1);
    expect(begun).toHaveLength(1);
    finish();
    await first;
    await clock.advance(1);
    expect(begun).toHaveLength(2);
    finish();
    await second;
  });

  test('asked for by the run itself does not overlap with it', async () => {
    let depth = 0;
    let runs = 0;
    const loop: Loop = new Loop({
      name: 'self',
      intervalMs: 100,
      onError: () => undefined,
      run: () => {
        runs += 1;
        depth += 1;
        expect(depth).toBe(1);
        if (runs < 3) loop.poke();
        depth -= 1;
      },
    });
    await loop.runOnce();
    await loop.runOnce();
    expect(runs).toBe(3);
  });

  test('moves the next scheduled run', async () => {
    const { loop, clock, begun } = make();
    await loop.start();
    await clock.advance(60);
    await loop.runOnce();
    await clock.advance(99);
    expect(begun).toEqual([60]);
    await clock.advance(1);
    expect(begun).toEqual([60, 160]);
    await loop.stop();
  });
});

describe('stop', () => {
  test('aborts the run under way and waits for it; what was queued does not begin', async () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    const loop = new Loop({
      name: 'slow',
      intervalMs: 100,
      clock,
      immediately: true,
      onError: () => undefined,
      run: async (signal) => {
        seen.push('begin');
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
        seen.push('end');
      },
    });
    await loop.start();
    await clock.advance(0);
    loop.poke();
    await Promise.all([loop.stop(), loop.stop()]);
    await clock.advance(1_000);
    expect(seen).toEqual(['begin', 'end']);
    expect(clock.pending).toBe(0);
  });
});
