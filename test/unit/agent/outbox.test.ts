import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CreditsMessage } from '../../../agent/claim/credits.ts';
import { Lane } from '../../../agent/link/lane.ts';
import { MAX_CHUNKS, Outbox, PROGRESS_MS } from '../../../agent/link/outbox.ts';
import {
  MAX_UNACKED,
  SPOOL_AFTER_MS,
  UnackedCompletion,
  UnackedCompletions,
} from '../../../agent/link/unacked.ts';
import type { CompletionSpool } from '../../../agent/link/unacked.ts';
import type { Up } from '../../../agent/link/wire.ts';

let now = 1000;

class FakeSink {
  readonly written: Up[] = [];
  /** Writes after which the stream is full. */
  room = Number.POSITIVE_INFINITY;

  write(message: Up): boolean {
    this.written.push(message);
    this.room -= 1;
    return this.room > 0;
  }
}

function completion(jobId: string, outputJson = '1', at = now): UnackedCompletion {
  return new UnackedCompletion({
    jobId,
    token: `t-${jobId}`,
    result: { verdict: 'succeeded', outputJson, reason: '', message: '', runMs: 1, blockedReason: '' },
    startedAt: at - 5,
    finishedAt: at,
    emits: [],
  });
}

function start(): { outbox: Outbox; sink: FakeSink } {
  const outbox = new Outbox({ now: () => now, credits: () => undefined });
  const sink = new FakeSink();
  outbox.attach(sink);
  return { outbox, sink };
}

beforeEach(() => {
  now = 1000;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

describe('the outbox', () => {
  it('says everything of one turn in one message', () => {
    const { outbox, sink } = start();
    outbox.accepted('job_1', 't', now);
    outbox.started('job_1', 't', now - 20);
    outbox.completed(completion('job_2'));
    outbox.released({ jobId: 'job_3', token: 't', reason: 'NO_SLOT', message: '' });
    outbox.heartbeat({ held: [] });
    expect(sink.written).toEqual([]);
    vi.runAllTimers();
    expect(sink.written).toHaveLength(1);
    expect(sink.written[0]).toMatchObject({
      accepted: [{ jobId: 'job_1', ageMs: 0 }],
      started: [{ jobId: 'job_1', ageMs: -20 }],
      completed: [{ jobId: 'job_2', startedAgeMs: -5 }],
      released: [{ jobId: 'job_3' }],
      heartbeat: { held: [] },
    });
    vi.runAllTimers();
    expect(sink.written).toHaveLength(1);
  });

  it('leaves a full stream alone and works ages out when it writes', () => {
    const { outbox, sink } = start();
    sink.room = 1;
    outbox.accepted('job_1', 't', now);
    vi.runAllTimers();
    outbox.accepted('job_2', 't', now);
    vi.runAllTimers();
    expect(sink.written).toHaveLength(1);
    now += 300;
    sink.room = 5;
    outbox.unblocked();
    expect(sink.written[1]).toMatchObject({ accepted: [{ jobId: 'job_2', ageMs: -300 }] });
  });

  it('splits what is too large for one message, and still sends the larger item alone', () => {
    const { outbox, sink } = start();
    const half = JSON.stringify('x'.repeat(150_000));
    for (let index = 0; index < 5; index += 1) outbox.completed(completion(`job_${index}`, half));
    outbox.completed(completion('huge', 'x'.repeat(1_000_000)));
    vi.runAllTimers();
    const batches = sink.written.map(({ completed }) => (completed ?? []).map(({ jobId }) => jobId));
    expect(batches.flat()).toEqual(['job_0', 'job_1', 'job_2', 'job_3', 'job_4', 'huge']);
    expect(batches.map(({ length }) => length)).toEqual([2, 2, 1, 1]);
  });

  it('keeps the latest progress of a job and sends it now and then', () => {
    const { outbox, sink } = start();
    const say = (fraction: number): void =>
      outbox.progress({ jobId: 'job_1', token: 't', fraction, message: '' });
    say(0.1);
    say(0.2);
    vi.advanceTimersByTime(1);
    say(0.3);
    now += PROGRESS_MS / 2;
    say(0.4);
    vi.advanceTimersByTime(1);
    expect(sink.written.flatMap(({ progress }) => progress ?? [])).toMatchObject([{ fraction: 0.2 }]);
    now += PROGRESS_MS;
    vi.advanceTimersByTime(PROGRESS_MS);
    expect(sink.written.flatMap(({ progress }) => progress ?? [])).toMatchObject([
      { fraction: 0.2 },
      { fraction: 0.4 },
    ]);
  });

  it('drops chunks first: without a stream, and beyond the bound', () => {
    const { outbox, sink } = start();
    for (let index = 0; index < MAX_CHUNKS + 10; index += 1)
      outbox.chunk({ jobId: 'job_1', token: 't', index, data: 'x' });
    outbox.completed(completion('job_1'));
    vi.runAllTimers();
    expect(sink.written.flatMap(({ chunks }) => chunks ?? [])).toHaveLength(MAX_CHUNKS);
    expect(sink.written.flatMap(({ completed }) => completed ?? [])).toHaveLength(1);
    outbox.detach();
    outbox.chunk({ jobId: 'job_1', token: 't', index: 0, data: 'x' });
    expect(outbox.stats.droppedChunks).toBe(11);
  });

  it('forgets with the session what the next one says again, but no release', () => {
    const { outbox } = start();
    outbox.released({ jobId: 'job_1', token: 't', reason: 'DRAINING', message: '' });
    outbox.accepted('job_2', 't', now);
    outbox.completed(completion('job_3'));
    outbox.detach();
    const next = new FakeSink();
    outbox.attach(next);
    vi.runAllTimers();
    expect(next.written).toMatchObject([{ released: [{ jobId: 'job_1' }], accepted: [], completed: [] }]);
  });

  it('sends the emits of a job before its completion', () => {
    const { outbox, sink } = start();
    const inputsJson = ['x'.repeat(600_000)];
    for (const batch of [1, 2, 3]) outbox.emitted({ jobId: 'job_1', token: 't', batch, inputsJson }, 600_000);
    outbox.completed(completion('job_1'));
    vi.runAllTimers();
    const order = sink.written.flatMap(({ emitted, completed }) => [
      ...(emitted ?? []).map(({ batch }) => `emit ${batch}`),
      ...(completed ?? []).map(() => 'completed'),
    ]);
    expect(order).toEqual(['emit 1', 'emit 2', 'emit 3', 'completed']);
  });

  it('asks for credits once a message, and only when slots have changed', () => {
    const credits = vi.fn<() => CreditsMessage>(() => ({ total: 1, byType: {}, revision: 1, offersSeen: 0 }));
    const outbox = new Outbox({ now: () => now, credits });
    const sink = new FakeSink();
    outbox.attach(sink);
    outbox.creditsChanged();
    outbox.creditsChanged();
    vi.runAllTimers();
    outbox.accepted('job_1', 't', now);
    vi.runAllTimers();
    expect(sink.written).toHaveLength(2);
    expect(credits).toHaveBeenCalledTimes(1);
  });
});

describe('a lane', () => {
  it('gives in order what fits, at least one', () => {
    const lane = new Lane<number>();
    for (const [item, size] of [
      [1, 10],
      [2, 10],
      [3, 100],
      [4, 1],
    ] as const) {
      lane.push(item, size);
    }
    const taken = [25, 25, 25, 0, 25].map((bytes) => [...lane.take({ bytes })]);
    expect(taken).toEqual([[1, 2], [3], [4], [], []]);
    expect([lane.length, lane.bytes]).toEqual([0, 0]);
  });
});

describe('unacknowledged completions', () => {
  class FakeSpool implements CompletionSpool {
    readonly files = new Map<string, UnackedCompletion>();
    load = async (): Promise<UnackedCompletion[]> => [...this.files.values()];
    save = async (one: UnackedCompletion): Promise<void> => void this.files.set(one.key, one);
    remove = async (one: UnackedCompletion): Promise<void> => void this.files.delete(one.key);
  }

  it('stay until the ack names job and token', () => {
    const unacked = new UnackedCompletions({ now: () => now });
    unacked.add(completion('job_1'));
    expect(unacked.acknowledged({ jobId: 'job_1', token: 'other' })).toBeUndefined();
    expect(unacked.size).toBe(1);
    expect(unacked.acknowledged({ jobId: 'job_1', token: 't-job_1' })?.jobId).toBe('job_1');
    expect(unacked.acknowledged({ jobId: 'job_1', token: 't-job_1' })).toBeUndefined();
  });

  it('touch the disk only when an ack is late, and leave it with the ack', async () => {
    const spool = new FakeSpool();
    const unacked = new UnackedCompletions({ now: () => now, spool });
    unacked.add(completion('quick'));
    unacked.acknowledged({ jobId: 'quick', token: 't-quick' });
    unacked.add(completion('slow'));
    await vi.advanceTimersByTimeAsync(600);
    now += SPOOL_AFTER_MS + 1;
    unacked.add(completion('fresh'));
    await vi.advanceTimersByTimeAsync(600);
    expect([...spool.files.values()].map(({ jobId }) => jobId)).toEqual(['slow']);
    unacked.acknowledged({ jobId: 'slow', token: 't-slow' });
    await unacked.close();
    expect([...spool.files.values()].map(({ jobId }) => jobId)).toEqual(['fresh']);
  });

  it('are bounded: beyond the bound the agent asks for no more', () => {
    const unacked = new UnackedCompletions({ now: () => now });
    for (let index = 0; index < MAX_UNACKED; index += 1) unacked.add(completion(`job_${index}`));
    expect(unacked.full).toBe(true);
    unacked.acknowledged({ jobId: 'job_0', token: 't-job_0' });
    expect(unacked.full).toBe(false);
  });

  it('can be waited for, not for ever', async () => {
    const unacked = new UnackedCompletions({ now: () => now });
    unacked.add(completion('job_1'));
    const gone = unacked.whenEmpty(1000);
    unacked.acknowledged({ jobId: 'job_1', token: 't-job_1' });
    expect(await gone).toBe(true);
    unacked.add(completion('job_2'));
    const never = unacked.whenEmpty(1000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await never).toBe(false);
  });
});
