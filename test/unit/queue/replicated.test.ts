import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { makeCell } from '../../../coordinator/queue/keys.ts';
import { sendReplicated } from '../../../coordinator/queue/replicated.ts';
import { storeFailure } from '../../../runtime/redis/store-errors.ts';

const cell = makeCell('dibs', 0, 'a');

/** A Redis that answers call, barrier and WAIT with these, in the order they were sent. */
function answering(call: unknown, barrier: unknown, wait: unknown): { redis: Redis; sent: string[] } {
  const sent: string[] = [];
  const answer = (name: string, value: unknown) => () => {
    sent.push(name);
    return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
  };
  const redis = {
    callBuffer: answer('call', call),
    eval: answer('barrier', barrier),
    call: answer('wait', wait),
  };
  return { redis: redis as unknown as Redis, sent };
}

describe('a call that waits for replicas', () => {
  it('sends call, barrier and WAIT one after the other, and gives the reply of the call', async () => {
    const { redis, sent } = answering('reply', 'OK', 2);
    const reply = sendReplicated(redis, { replicas: 2, waitMs: 100 })('EVALSHA', ['sha'], cell);
    expect(sent).toEqual(['call', 'barrier', 'wait']);
    expect(await reply).toBe('reply');
  });

  it.each([
    ['too few confirmed it', 'reply', 'OK', 1],
    [
      'the server is a replica by the time of the WAIT',
      'reply',
      'OK',
      new Error('ERR WAIT cannot be used with replica instances.'),
    ],
    ['the server is a replica by the time of the barrier', 'reply', new Error('READONLY You can’t write'), 1],
    ['the slot has moved since the call', 'reply', new Error('MOVED 1 127.0.0.1:1'), 0],
  ])('counts as unanswered, to be repeated, when %s', async (_why, call, barrier, wait) => {
    const { redis } = answering(call, barrier, wait);
    const send = sendReplicated(redis, { replicas: 2, waitMs: 100 });
    const error: unknown = await send('EVALSHA', ['sha'], cell).catch((thrown: unknown) => thrown);
    expect(storeFailure(error)).toBe('unavailable');
  });

  it('fails with the error of the call, whatever followed it', async () => {
    const { redis } = answering(new Error('NOSCRIPT No matching script.'), 'OK', 2);
    const send = sendReplicated(redis, { replicas: 2, waitMs: 100 });
    await expect(send('EVALSHA', ['sha'], cell)).rejects.toThrow('NOSCRIPT');
  });
});
