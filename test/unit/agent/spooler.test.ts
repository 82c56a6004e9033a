import { beforeEach, describe, expect, it } from 'vitest';
import { RETRY_MS } from '../../../agent/link/spooler.ts';
import { UnackedCompletion, UnackedCompletions } from '../../../agent/link/unacked.ts';
import { swapIn } from '../../../agent/heartbeat/usage.ts';

let now = 0;
let connected = true;
let full = false;
let saved: string[];
let said: string[];

const spool = {
  load: async () => [],
  save: async ({ jobId }: UnackedCompletion) => {
    if (full) throw new Error('ENOSPC');
    saved.push(jobId);
  },
  remove: async ({ jobId }: UnackedCompletion) => void (saved = saved.filter((one) => one !== jobId)),
};

function start(): UnackedCompletions {
  return new UnackedCompletions({
    now: () => now,
    spool,
    connected: () => connected,
    events: {
      failing: (error) => void said.push((error as Error).message),
      recovered: () => void said.push('recovered'),
    },
  });
}

function completion(jobId: string): UnackedCompletion {
  return new UnackedCompletion({
    jobId,
    token: 't',
    result: { verdict: 'succeeded', outputJson: '1', reason: '', message: '', runMs: 1, blockedReason: '' },
    startedAt: now,
    finishedAt: now,
    emits: [],
  });
}

/** Lets the disk work that was asked for come to its end. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

beforeEach(() => {
  now = 0;
  connected = true;
  full = false;
  saved = [];
  said = [];
});

describe('a result nobody has acknowledged', () => {
  it('goes to disk at once while nobody is connected', async () => {
    const unacked = start();
    unacked.add(completion('while-connected'));
    await settle();
    expect(saved).toEqual([]);
    connected = false;
    unacked.add(completion('alone'));
    await settle();
    expect(saved).toEqual(['alone']);
    await unacked.close();
  });

  it('goes to disk when the session ends, and from there with its ack', async () => {
    const unacked = start();
    unacked.add(completion('a'));
    unacked.add(completion('b'));
    unacked.acknowledged({ jobId: 'b', token: 't' });
    unacked.disconnected();
    await settle();
    expect(saved).toEqual(['a']);
    unacked.acknowledged({ jobId: 'a', token: 't' });
    await settle();
    expect(saved).toEqual([]);
    await unacked.close();
  });

  it('stays in memory while the disk refuses, which is said once and tried again later', async () => {
    const unacked = start();
    [connected, full] = [false, true];
    for (const jobId of ['a', 'b', 'c']) unacked.add(completion(jobId));
    await settle();
    now += RETRY_MS - 1;
    unacked.disconnected();
    await settle();
    expect([said, saved, unacked.size]).toEqual([['ENOSPC'], [], 3]);

    now += 1;
    unacked.disconnected();
    await settle();
    expect(said).toEqual(['ENOSPC']);

    [now, full] = [now + RETRY_MS, false];
    unacked.disconnected();
    await settle();
    expect([said, saved]).toEqual([
      ['ENOSPC', 'recovered'],
      ['a', 'b', 'c'],
    ]);
    expect(await unacked.close()).toBe(0);
  });

  it('is tried once more at the end, and counted where that fails too', async () => {
    const unacked = start();
    [connected, full] = [false, true];
    unacked.add(completion('a'));
    unacked.add(completion('b'));
    await settle();
    expect(await unacked.close()).toBe(2);
    full = false;
    expect(await unacked.close()).toBe(0);
    expect(saved).toEqual(['a', 'b']);
  });
});

describe('what lies on swap', () => {
  it('is read from the status of a process', () => {
    expect(swapIn('VmRSS:\t  2048 kB\nVmSwap:\t     12 kB\nThreads:\t1\n')).toBe(12 * 1024);
    expect(swapIn('Name:\tkthreadd\n')).toBe(0);
    expect(swapIn('')).toBe(0);
  });
});
