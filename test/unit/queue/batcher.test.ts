/** Group commit: order, size, how many calls at once, repeats. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Batcher } from '../../../coordinator/queue/batcher.ts';
import type { BatcherOptions } from '../../../coordinator/queue/batcher.ts';

interface Call {
  readonly items: readonly number[];
  readonly answer: (replies: readonly string[]) => void;
  readonly fail: (error: unknown) => void;
}

class Unreachable extends Error {}

function setUp(options: Partial<BatcherOptions<number, string>> = {}) {
  const calls: Call[] = [];
  const pauses: number[] = [];
  let now = 0;
  const batcher = new Batcher<number, string>({
    send: (items) => new Promise((answer, fail) => calls.push({ items, answer, fail })),
    isTransient: (error) => error instanceof Unreachable,
    clock: {
      now: () => now,
      sleep: (ms) => {
        pauses.push(ms);
        now += ms;
        return Promise.resolve();
      },
    },
    ...options,
  });
  return { batcher, calls, pauses, call: (n: number) => calls[n] as Call };
}

const echo = (call: Call): void => call.answer(call.items.map((item) => `r${item}`));

describe('grouping', () => {
  test('what one turn has goes in one call', async () => {
    const { batcher, calls, call } = setUp();
    const replies = [1, 2, 3].map((item) => batcher.add(item));
    expect(calls).toHaveLength(0);
    await turn();
    expect(calls.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    echo(call(0));
    expect(await Promise.all(replies)).toEqual(['r1', 'r2', 'r3']);
  });

  test('no call is larger than it may be, and they leave in order', async () => {
    const { batcher, calls, call } = setUp({ maxItems: 2, maxInFlight: 3 });
    for (let item = 1; item <= 7; item++) void batcher.add(item);
    await turn();
    expect(calls.map(({ items }) => items)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    echo(call(0));
    await turn();
    await turn();
    expect(calls.map(({ items }) => items)).toEqual([[1, 2], [3, 4], [5, 6], [7]]);
  });

  test('what comes while calls are under way waits, and goes together', async () => {
    const { batcher, calls, call } = setUp({ maxInFlight: 1 });
    const first = batcher.add(1);
    await turn();
    const rest = [batcher.add(2)];
    await turn();
    rest.push(batcher.add(3));
    await turn();
    expect(calls).toHaveLength(1);
    echo(call(0));
    expect(await first).toBe('r1');
    await turn();
    await turn();
    expect(calls.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    echo(call(1));
    expect(await Promise.all(rest)).toEqual(['r2', 'r3']);
  });

  test('says how many items are not answered', async () => {
    const { batcher, call } = setUp({ maxItems: 2, maxInFlight: 1 });
    expect(batcher.pending).toBe(0);
    const replies = [1, 2, 3].map((item) => batcher.add(item));
    expect(batcher.pending).toBe(3);
    await turn();
    expect(batcher.pending).toBe(3);
    echo(call(0));
    await replies[1];
    expect(batcher.pending).toBe(1);
    await turn();
    await turn();
    call(1).fail(new Error('no'));
    await expect(replies[2]).rejects.toThrow('no');
    expect(batcher.pending).toBe(0);
  });
});

describe('failures', () => {
  test('a call without an answer is made again with the same items, after growing pauses', async () => {
    const { batcher, calls, call, pauses } = setUp();
    const replies = [batcher.add(1), batcher.add(2)];
    await turn();
    for (let attempt = 0; attempt < 7; attempt++) {
      call(attempt).fail(new Unreachable());
      await turn();
    }
    expect(calls).toHaveLength(8);
    expect(calls.every(({ items }) => items.join() === '1,2')).toBe(true);
    expect(pauses).toEqual([20, 40, 80, 160, 320, 500, 500]);
    echo(call(7));
    expect(await Promise.all(replies)).toEqual(['r1', 'r2']);
  });

  test('it gives up when its time is over', async () => {
    const { batcher, calls, call, pauses } = setUp({ giveUpMs: 100 });
    const reply = batcher.add(1).catch((error: unknown) => (error as Error).message);
    await turn();
    for (let attempt = 0; attempt < 3; attempt++) {
      call(attempt).fail(new Unreachable('gone'));
      await turn();
    }
    expect(await reply).toBe('gone');
    expect(pauses).toEqual([20, 40]);
    expect(calls).toHaveLength(3);
  });

  test('what the server refused is not asked again', async () => {
    const { batcher, calls, call } = setUp();
    const replies = [batcher.add(1), batcher.add(2)];
    await turn();
    call(0).fail(new Error('OOM'));
    for (const reply of replies) await expect(reply).rejects.toThrow('OOM');
    await turn();
    expect(calls).toHaveLength(1);
  });

  test('others go on meanwhile', async () => {
    const { batcher, calls, call } = setUp({ maxItems: 1 });
    const refused = batcher.add(1);
    const good = batcher.add(2);
    await turn();
    call(0).fail(new Error('no'));
    echo(call(1));
    await expect(refused).rejects.toThrow('no');
    expect(await good).toBe('r2');
    const later = batcher.add(3);
    await turn();
    echo(calls.at(-1) as Call);
    expect(await later).toBe('r3');
  });

  test('a callback that throws costs nobody else the answer, and nobody gets two', async () => {
    const surfaced: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => surfaced.push(error));
    try {
      const { batcher, calls, call } = setUp();
      const answers: string[] = [];
      for (const item of [1, 2, 3]) {
        batcher.push(
          item,
          (reply) => {
            answers.push(reply);
            if (item === 2) throw new Unreachable('a bug of whoever asked');
          },
          () => answers.push(`failed ${item}`),
        );
      }
      await turn();
      echo(call(0));
      await turn();
      expect(answers).toEqual(['r1', 'r2', 'r3']);
      expect(calls).toHaveLength(1);
      expect(surfaced).toHaveLength(1);
      expect(batcher.pending).toBe(0);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});
