/**
 * The fleet's chores as BullMQ sees them: one queue, a job scheduler per chore, a worker in each coordinator.
 *
 * Invariants:
 * 1. Only chores go through it, never users' jobs; each chore may run twice, late, or not at all (ADR 6).
 * 2. What it keeps in Redis is bounded, and lies in one slot of a Cluster.
 * 3. `close` takes a moment, whatever state Redis is in.
 */
import { Queue, Worker } from 'bullmq';
import type { ConnectionOptions } from 'bullmq';
import { sleep, systemClock } from '../../runtime/clock.ts';
import { closeRedis, connectRedis } from '../../runtime/redis/connect.ts';
import type { RedisTarget } from '../../runtime/redis/target.ts';

/** Something one coordinator of the fleet does every so often. */
export interface Chore {
  readonly name: string;
  readonly everyMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface ChoreQueueOptions {
  readonly target: string | RedisTarget;
  readonly namespace: string;
  readonly chores: readonly Chore[];
  readonly onError: (error: Error) => void;
  /** The connection is back: what stands in Redis may be older than one thinks. */
  readonly onReconnected: () => void;
  /** Ends the wait for Redis. */
  readonly signal: AbortSignal;
}

export interface ChoreQueue {
  /** False when the worker's loop has ended by itself. */
  readonly isWorking: boolean;
  /** Puts back every schedule that is missing, differs or is stuck: due for two intervals, and no worker took it. */
  keepSchedules(signal: AbortSignal): Promise<{ readonly isStuck: boolean }>;
  close(): Promise<void>;
}

const QUEUE = 'chores';
const KEEP_DONE = { count: 10 };
const KEEP_FAILED = { count: 100 };
const KEEP_EVENTS = 100;
/** How soon a chore of a coordinator that died is free for another, milliseconds. */
const LOCK_MS = 30_000;
/** Pause of the worker after a lost connection, milliseconds. */
const RETRY_MS = 1000;
const READY_TIMEOUT_MS = 5000;
const CLOSE_MS = 1000;

/** The default namespace gives `{dibs-chores}`. */
export function chorePrefix(namespace: string): string {
  return `{${namespace}-chores}`;
}

export async function openChoreQueue(options: ChoreQueueOptions): Promise<ChoreQueue> {
  const { target, namespace, chores, onError, onReconnected, signal } = options;
  const redis = await connectRedis({
    target,
    name: 'dibs-chores',
    patient: true,
    readyTimeoutMs: READY_TIMEOUT_MS,
    signal,
    onError,
  });
  redis.on('ready', onReconnected);
  const common = { connection: redis as ConnectionOptions, prefix: chorePrefix(namespace) };
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  const byName = new Map(chores.map((chore) => [chore.name, chore]));

  const queue = new Queue(QUEUE, { ...common, streams: { events: { maxLen: KEEP_EVENTS } } });
  queue.on('error', onError);
  const worker = new Worker(
    QUEUE,
    async ({ name }) => {
      // A chore of a later version of Dibs: whoever knows it does it the next time.
      const running = byName.get(name)?.run(stopping.signal) ?? Promise.resolve();
      underWay.add(running);
      try {
        await running;
      } finally {
        underWay.delete(running);
      }
    },
    {
      ...common,
      concurrency: 1,
      lockDuration: LOCK_MS,
      runRetryDelay: RETRY_MS,
      removeOnComplete: KEEP_DONE,
      removeOnFail: KEEP_FAILED,
    },
  );
  worker.on('error', onError);
  // BullMQ no longer listens to a connection it closes, whose last error ioredis would then print.
  worker.getBackend().blockingClient?.then(
    (blocking) => blocking.on('error', () => undefined),
    () => undefined,
  );
  worker.on('failed', (_job, error) => onError(error));

  const close = async (): Promise<void> => {
    stopping.abort();
    redis.off('ready', onReconnected);
    const closing = Promise.allSettled([worker.close(true), queue.close(), ...underWay]);
    await within(CLOSE_MS, closing).catch(() => undefined);
    await within(CLOSE_MS, closeRedis(redis)).catch(() => redis.disconnect());
  };
  try {
    await within(READY_TIMEOUT_MS, worker.waitUntilReady(), signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    get isWorking() {
      return worker.isRunning();
    },
    keepSchedules: async (leaving) => {
      let isStuck = false;
      for (const { name, everyMs } of chores) {
        const found = await within(READY_TIMEOUT_MS, queue.getJobScheduler(name), leaving);
        const now = systemClock.now();
        const next = found?.next ?? 0;
        const late = 2 * everyMs + RETRY_MS;
        if (found?.every === everyMs && Math.abs(next - now) < late) continue;
        isStuck ||= found?.every === everyMs && next < now;
        const upsert = queue.upsertJobScheduler(name, { every: everyMs }, { name });
        await within(READY_TIMEOUT_MS, upsert, leaving);
      }
      return { isStuck };
    },
    close,
  };
}

/** BullMQ waits for a connection as long as it takes; nobody here does. */
async function within<T>(timeoutMs: number, work: Promise<T>, signal?: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const over = signal === undefined ? settled.signal : AbortSignal.any([settled.signal, signal]);
  const late = sleep(systemClock, timeoutMs, over).then(() => {
    throw new Error(`The chores' queue did not answer within ${timeoutMs} ms.`);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    settled.abort();
  }
}
