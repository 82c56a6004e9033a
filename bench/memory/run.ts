/**
 * Scenario "memory": what Redis keeps of a job that waits, and of one that is done, Dibs and BullMQ with the same inputs and outputs.
 *
 * `ratio` is Dibs / BullMQ of the bytes of a waiting job of one fan-out; `ratios.finished` that of a finished workflow of one job, with
 * its events and a result of 200 B. Bytes are used_memory, less what it was before, over many jobs; each figure has a Redis of its own.
 */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { createClient, ref } from '../../sdk/client/index.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { ITEM_BYTES, inputOf } from '../support/payload.ts';
import { readOptions, withFolder } from '../support/scenario.ts';
import { significant, spread } from '../support/spread.ts';
import { startDibs } from '../throughput/dibs-side.ts';
import { startPlainPeer } from '../throughput/peer-side.ts';
import { runRound } from '../throughput/round.ts';
import type { SystemUnderTest } from '../throughput/round.ts';
import { WORKLOADS } from '../throughput/workloads.ts';

/** Jobs of a fan-out: the inputs of one workflow have a bound. */
const WIDTH = 10_000;
/** Jobs of one bulk of BullMQ. */
const BULK = 1000;
const POLL_MS = 50;
const SETTLE_MS = 60_000;
const DIBS = {
  coordinators: 1,
  isolation: 'inline',
  slots: 64,
  profileTo: undefined,
  workload: WORKLOADS.throughput,
} as const;

export async function memory(argv: readonly string[]): Promise<number> {
  const options = readOptions('memory', argv, { jobs: '20000', rounds: '3', 'warm-up': '1000' });
  if (options === undefined) return 2;
  const { jobs, rounds, warmUp, json } = options;
  const measures = {
    waiting: { dibs: waitingInDibs, peer: waitingInBullMq },
    finished: { dibs: finishedInDibs, peer: finishedInBullMq },
  } as const;
  const figures: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [what, sides] of Object.entries(measures)) {
      for (const [side, measure] of Object.entries(sides)) {
        const bytes = await withFolder((folder, cleanup) => measure({ folder, cleanup, jobs, warmUp }));
        (figures[`${what} ${side}`] ??= []).push(bytes);
      }
    }
  }
  const median = (name: string): number => Math.round(spread(figures[name] ?? []).median);
  const ratio = (what: string): number => significant(median(`${what} dibs`) / median(`${what} peer`), 3);
  const report = {
    scenario: 'memory',
    dibs: median('waiting dibs'),
    peer: median('waiting peer'),
    ratio: ratio('waiting'),
    unit: 'B',
    ratios: { waiting: ratio('waiting'), finished: ratio('finished') },
    finished: { dibs: median('finished dibs'), peer: median('finished peer') },
    inputBytes: { waiting: ITEM_BYTES, finished: 200 },
    rounds,
    jobs,
  };
  process.stdout.write(`${json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}

interface Place {
  readonly folder: string;
  readonly cleanup: Cleanup;
  readonly jobs: number;
  /** Jobs before the first look: keys that are made once. */
  readonly warmUp: number;
}

/** Fan-outs nobody can run. */
async function waitingInDibs({ folder, cleanup, jobs, warmUp }: Place): Promise<number> {
  const { socketPath, address } = await startDibs(folder, { ...DIBS, agents: 0 }, cleanup);
  const client = createClient({ address });
  cleanup.add(() => client.close());
  let waiting = 0;
  const add = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= WIDTH) {
      const items = Array.from({ length: Math.min(left, WIDTH) }, (_, n) => ({ ...inputOf(n, ITEM_BYTES) }));
      await client.submit({
        allowUnknownTypes: true,
        steps: [{ type: 'bench.nobody', forEach: { items, as: 'job' }, input: ref('job') }],
      });
      waiting += items.length;
    }
    await settled(async () => {
      for await (const queue of client.queues()) if (queue.waiting === waiting) return true;
      return false;
    });
  };
  return growth(socketPath, cleanup, jobs, warmUp, add);
}

async function waitingInBullMq({ folder, cleanup, jobs, warmUp }: Place): Promise<number> {
  const { socketPath } = await startPlainPeer(folder, { workers: 0, concurrency: 1 }, cleanup);
  const queue = new Queue('waiting', { connection: { path: socketPath } });
  cleanup.add(() => queue.close());
  return growth(socketPath, cleanup, jobs, warmUp, async (count) => {
    for (let from = 0; from < count; from += BULK) {
      const size = Math.min(BULK, count - from);
      await queue.addBulk(
        Array.from({ length: size }, (_, i) => ({ name: 'noop', data: inputOf(from + i, ITEM_BYTES) })),
      );
    }
  });
}

async function finishedInDibs({ folder, cleanup, jobs, warmUp }: Place): Promise<number> {
  const system = await startDibs(folder, { ...DIBS, agents: 1 }, cleanup);
  return growth(system.socketPath, cleanup, jobs, warmUp, runIn(system));
}

async function finishedInBullMq({ folder, cleanup, jobs, warmUp }: Place): Promise<number> {
  const system = await startPlainPeer(folder, { workers: 1, concurrency: 200 }, cleanup);
  return growth(system.socketPath, cleanup, jobs, warmUp, runIn(system));
}

function runIn(system: SystemUnderTest): (count: number) => Promise<void> {
  let next = 1;
  return async (count) => {
    const first = next;
    next += count;
    await runRound(system, { first, jobs: count, window: Math.min(count, 5000) });
  };
}

/** Bytes a job by which Redis grows. */
async function growth(
  socketPath: string,
  cleanup: Cleanup,
  jobs: number,
  warmUp: number,
  add: (count: number) => Promise<void>,
): Promise<number> {
  const redis = new Redis(socketPath);
  cleanup.add(() => redis.disconnect());
  await add(warmUp);
  const before = await usedMemory(redis);
  await add(jobs);
  return ((await usedMemory(redis)) - before) / jobs;
}

/** Buffers of clients and of the append-only file come and go; the least of a few looks is without them. */
async function usedMemory(redis: Redis): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 10; look++) {
    const found = /^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1];
    const buffers = /^mem_aof_buffer:(\d+)/m.exec(await redis.info('memory'))?.[1];
    const clients = /^mem_clients_normal:(\d+)/m.exec(await redis.info('memory'))?.[1];
    least = Math.min(least, Number(found) - Number(buffers ?? 0) - Number(clients ?? 0));
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return least;
}

async function settled(look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error('The jobs did not come into their queue.');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
