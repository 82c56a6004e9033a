import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CoordinatorWatch } from '../../../agent/drain/coordinator-lost.ts';
import { DrainControl } from '../../../agent/drain/drain.ts';
import type { DrainParts } from '../../../agent/drain/drain.ts';
import { endOf } from '../../../agent/drain/ending.ts';
import { whyLeave } from '../../../agent/drain/exit-rules.ts';
import type { ExitRules } from '../../../agent/drain/exit-rules.ts';
import { DRAIN_TRANSITIONS, step } from '../../../agent/drain/states.ts';
import type { DrainState } from '../../../agent/drain/states.ts';
import { HeartbeatLoop } from '../../../agent/heartbeat/heartbeat.ts';
import type { Heartbeat } from '../../../agent/link/wire.ts';
import type { HeartbeatSources } from '../../../agent/heartbeat/heartbeat.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function start(): { drain: DrainControl; said: string[]; idle: () => void } {
  const said: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const parts: DrainParts = {
    announce: (reason, deadlineMs) => void said.push(`announce ${reason} ${deadlineMs}`),
    finishHeld: () => promise,
    handBack: () => void said.push('handBack'),
    settle: async (ms) => void said.push(`settle ${ms}`),
    reach: async (ms) => void said.push(`reach ${ms}`),
    close: async () => void said.push('close'),
  };
  return { drain: new DrainControl({ parts, timeoutMs: 600, log }), said, idle: resolve };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the way out', () => {
  it('has no way back', () => {
    const order: DrainState[] = ['serving', 'draining', 'handing_back', 'closing', 'ended'];
    for (const [from, edges] of Object.entries(DRAIN_TRANSITIONS)) {
      for (const to of Object.values(edges))
        expect(order.indexOf(to)).toBeGreaterThanOrEqual(order.indexOf(from as DrainState));
    }
    expect(() => step('serving', 'idle')).toThrow('idle cannot happen in serving');
  });

  it('finishes what is held, then closes', async () => {
    const { drain, said, idle } = start();
    drain.drain('SIGTERM');
    drain.drain('again');
    expect(drain.state).toBe('draining');
    idle();
    expect(await drain.ended).toBe('drained');
    expect(said).toEqual(['announce SIGTERM 600', 'settle 5000', 'close']);
    drain.drain('too late');
    drain.force('too late');
    expect(drain.state).toBe('ended');
  });

  it('hands back at the deadline', async () => {
    const { drain, said } = start();
    drain.drain('SIGTERM');
    await vi.advanceTimersByTimeAsync(600);
    expect(await drain.ended).toBe('deadline');
    expect(said).toEqual(['announce SIGTERM 600', 'handBack', 'reach 2000', 'close']);
  });

  it('hands back at once when forced, with or without a drain before', async () => {
    const { drain, said, idle } = start();
    drain.drain('SIGTERM');
    drain.force('SIGTERM');
    idle();
    expect(await drain.ended).toBe('forced');
    expect(said.filter((line) => line === 'handBack')).toHaveLength(1);
    const other = start();
    other.drain.force('stop');
    expect(await other.drain.ended).toBe('forced');
  });

  it('ends with the code of its cause', () => {
    expect(endOf('drained', { kind: 'stopped' }, false).exitCode).toBe(0);
    expect(endOf('forced', { kind: 'refused', detail: 'x' }, false).exitCode).toBe(77);
    expect(endOf('forced', undefined, true).exitCode).toBe(7);
    expect(endOf('deadline', undefined, false).exitCode).toBe(124);
    expect(endOf('forced', undefined, false).exitCode).toBe(130);
  });
});

describe('leaving by itself', () => {
  const none: ExitRules = { afterIdleMs: undefined, afterJobs: undefined, afterUptimeMs: undefined };
  const view = { startedAt: 0, idleSince: 900 as number | undefined, finished: 3 };

  it('happens only by a rule that is set', () => {
    expect(whyLeave(none, view, 1e12)).toBeUndefined();
    expect(whyLeave({ ...none, afterIdleMs: 100 }, view, 999)).toBeUndefined();
    expect(whyLeave({ ...none, afterIdleMs: 100 }, view, 1000)).toBe('idle for 100 ms');
    expect(whyLeave({ ...none, afterIdleMs: 100 }, { ...view, idleSince: undefined }, 1e9)).toBeUndefined();
    expect(whyLeave({ ...none, afterJobs: 4 }, view, 1)).toBeUndefined();
    expect(whyLeave({ ...none, afterJobs: 3 }, view, 1)).toBe('finished 3 jobs');
    expect(whyLeave({ ...none, afterUptimeMs: 1000 }, { ...view, idleSince: undefined }, 1000)).toBe(
      'up for 1000 ms',
    );
  });
});

describe('a coordinator that is lost', () => {
  const watch = (policy: 'finish-running' | 'stop'): { watch: CoordinatorWatch; acts: string[] } => {
    const acts: string[] = [];
    const actions = { dropWaiting: () => void acts.push('drop'), stop: () => void acts.push('stop') };
    return { watch: new CoordinatorWatch(policy, actions), acts };
  };

  it('costs nothing while the lease may live', () => {
    const { watch: it, acts } = watch('stop');
    it.live(1000);
    it.lost();
    vi.advanceTimersByTime(999);
    it.live(1000);
    vi.advanceTimersByTime(5000);
    expect(acts).toEqual([]);
  });

  it('then costs what has not started, and, if so wished, everything', () => {
    for (const [policy, expected] of [
      ['finish-running', ['drop']],
      ['stop', ['drop', 'stop']],
    ] as const) {
      const { watch: it, acts } = watch(policy);
      it.live(1000);
      it.lost();
      vi.advanceTimersByTime(600);
      it.lost();
      vi.advanceTimersByTime(400);
      expect(acts).toEqual(expected);
    }
  });
});

describe('heartbeats', () => {
  it('go out at the interval the coordinator wants, while there is a session', () => {
    const sources: HeartbeatSources = {
      held: () => [{ jobId: 'job_1', token: 't', state: 4 }],
      machine: () => ({
        cpuLoad: 0.5,
        memory: { usedBytes: 1, totalBytes: 2 },
        diskFreeBytes: 3,
        gpus: [],
        processes: [],
      }),
      throughput: () => [],
      running: () => 1,
      waiting: () => 0,
      loopDelayMs: () => 0,
    };
    const send = vi.fn<(heartbeat: Heartbeat) => void>();
    const loop = new HeartbeatLoop({ sources, send, random: () => 0.5 });
    loop.start(1000);
    vi.advanceTimersByTime(499);
    expect(send).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2001);
    expect(send).toHaveBeenCalledTimes(3);
    expect(send).toHaveBeenLastCalledWith(
      expect.objectContaining({ held: [{ jobId: 'job_1', token: 't', state: 4 }] }),
    );
    loop.stop();
    vi.advanceTimersByTime(10_000);
    expect(send).toHaveBeenCalledTimes(3);
  });
});
