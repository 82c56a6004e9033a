/**
 * 10,000 jobs, 50 agents with sessions of their own, two coordinators: each job is won once. Checked from the records in
 * Redis and from what the agents were offered; on one Redis and on a real Cluster.
 */
import type { Cluster, Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import { State } from '../../../sdk/common/states.ts';
import { connectRedis } from '../../../runtime/redis/connect.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis, useRedisCluster } from '../../support/redis.ts';

const WORKFLOWS = 10;
const JOBS = 1000;
const AGENTS = 50;

describe('on one Redis', () => {
  const redis = useRedis();
  test('each job is won once', async () => {
    expect(await race(redis().url)).toBe(WORKFLOWS * JOBS);
  }, 60_000);
});

describe('on a Cluster', () => {
  const cluster = useRedisCluster();
  test('each job is won once', async () => {
    expect(await race(cluster().url)).toBe(WORKFLOWS * JOBS);
  }, 60_000);
});

/** Jobs that were won, each exactly once. */
async function race(url: string): Promise<number> {
  const coordinators = [await startCoordinator(url), await startCoordinator(url)];
  const agents = Array.from(
    { length: AGENTS },
    (_, i) =>
      new RawAgent({
        id: `agent_${i}`,
        address: coordinators[i % 2]?.address ?? '',
        types: ['racing'],
        credits: 4,
        answer: (offer) => ({ output: { by: i, index: offer.index } }),
      }),
  );
  onTestFinished(async () => {
    for (const agent of agents) agent.close();
    await Promise.all(coordinators.map((one) => one.stop()));
  });
  await Promise.all(agents.map((agent) => agent.welcomed));
  using client = createClient({ address: coordinators[0]?.address ?? '' });
  const items = Array.from({ length: WORKFLOWS }, (_, i) => ({
    requestId: `race-${i}`,
    workflow: { steps: [{ type: 'racing', forEach: { items: JOBS }, input: { n: { $ref: 'item' } } }] },
  }));
  const wids: string[] = [];
  for await (const outcome of client.submitMany(items, { results: true })) {
    if (outcome.kind !== 'ended') throw new Error(JSON.stringify(outcome));
    expect(outcome.result.status).toBe('succeeded');
    wids.push(outcome.workflowId.slice(3));
  }

  const offered = agents.flatMap((agent) =>
    agent.offers.map((offer) => `${offer.jobId} ${offer.token} ${agent.id}`),
  );
  expect(offered).toHaveLength(WORKFLOWS * JOBS);
  expect(new Set(offered.map((line) => line.split(' ')[0])).size).toBe(WORKFLOWS * JOBS);
  expect(new Set(offered.map((line) => line.split(' ')[1])).size).toBe(WORKFLOWS * JOBS);
  expect(agents.filter((agent) => agent.offers.length === 0)).toEqual([]);

  const redis = await connectRedis({ target: url, name: 'test' });
  onTestFinished(() => redis.disconnect());
  const cells = await openCells(redis, { namespace: 'dibs', count: 0, masters: 1 });
  const reads = new Reads(redis);
  const won = new Map(offered.map((line) => [line.split(' ')[0], line.split(' ')[2]]));
  for (const wid of wids) {
    const cell = cells[Number.parseInt(wid.slice(0, 2), 36)] as Cell;
    const jobs = await reads.jobs(cell, wid, 0, 0, JOBS + 1);
    expect(jobs[JOBS]).toBeUndefined();
    jobs.slice(0, JOBS).forEach((job, n) => {
      expect(job).toMatchObject({
        state: State.succeeded,
        claims: 1,
        hold: 0,
        agent: won.get(`job_${wid}-0-${n}`),
      });
    });
  }
  for (const cell of cells) {
    expect(await leftovers(redis, cell)).toEqual([0, 0, 0, 0]);
    expect(Number((await redis.hget(keys.meta(cell), 'wasted')) ?? 0)).toBe(0);
  }
  return won.size;
}

/** Entries in queue, offers, leases, todo. */
function leftovers(redis: Redis | Cluster, cell: Cell): Promise<number[]> {
  const names = [keys.queue(cell, 'racing'), keys.offers(cell), keys.leases(cell), keys.todo(cell)];
  return Promise.all(names.map((name) => redis.zcard(name)));
}
