/**
 * Scenario "positions": what it takes to say where a job stands, with a million of them in one queue that moves.
 *
 * `queryP99Ms` is of GetWorkflow with its job's forecast, one call after the other; `dibs` and `ratio` are the share of a core that
 * 1,000 watchers of positions, one stream each, cost the coordinator: its share with them less that without.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../sdk/client/index.ts';
import type { DibsClient } from '../../sdk/client/index.ts';
import type { AgentSetup } from '../roles/agent.ts';
import type { CoordinatorSetup } from '../roles/coordinator.ts';
import { processCpu } from '../support/process-cpu.ts';
import { RoleProcess } from '../support/role-process.ts';
import { readOptions, withFolder } from '../support/scenario.ts';
import { significant, spread } from '../support/spread.ts';
import { startBenchRedis } from '../throughput/bench-redis.ts';

const TYPE = 'bench.image';
const WATCHERS = 1000;
const WATCHERS_A_CLIENT = 100;
const QUERIES = 5000;
/** Of the agent that keeps the queue moving: 40 jobs a second. */
const SPEED = 10;
const SLOTS = 4;

export async function positions(argv: readonly string[]): Promise<number> {
  const options = readOptions('positions', argv, { jobs: '1000000', rounds: '3', 'warm-up': '5' });
  if (options === undefined) return 2;
  const { jobs, rounds, warmUp, json } = options;
  const found = await withFolder(async (folder, cleanup) => {
    for (const own of ['coordinator', 'agent']) await mkdir(join(folder, own));
    const redis = await startBenchRedis(join(folder, 'redis'));
    cleanup.add(() => redis.stop());
    const start = async <T>(name: string, setup: T): Promise<RoleProcess> => {
      const module = new URL(`../roles/${name}.ts`, import.meta.url);
      const role = await RoleProcess.start({ name, module, setup });
      cleanup.add(() => role.stop());
      return role;
    };
    const coordinator = await start<CoordinatorSetup>('coordinator', {
      redisUrl: redis.url,
      folder: join(folder, 'coordinator'),
    });
    const address = coordinator.ready as string;
    const client = createClient({ address });
    cleanup.add(() => client.close());
    const ids = await fill(client, jobs);
    await start<AgentSetup>('agent', {
      coordinator: address,
      folder: join(folder, 'agent'),
      isolation: 'inline',
      slots: SLOTS,
      recorded: { speed: SPEED, types: [TYPE] },
    });
    await sleep(warmUp * 1000);
    const queries: number[] = [];
    // The first round warms up both ends.
    for (let i = -QUERIES; i < QUERIES; i++) {
      const id = ids[Math.floor((((i + QUERIES) * 7919) % QUERIES) * (ids.length / QUERIES))] as string;
      const at = performance.now();
      await client.get(id, { includeJobs: true });
      if (i >= 0) queries.push(performance.now() - at);
    }
    queries.sort((a, b) => a - b);
    const share = async (): Promise<number> => {
      const [cpu, at] = [processCpu(coordinator.pid).totalMs, performance.now()];
      await sleep(warmUp * 1000);
      return (processCpu(coordinator.pid).totalMs - cpu) / (performance.now() - at);
    };
    const without: number[] = [];
    const watched: number[] = [];
    for (let round = 0; round < rounds; round++) without.push(await share());
    let messages = 0;
    cleanup.add(await watch(address, ids, () => messages++));
    await sleep(warmUp * 1000);
    const [from, at] = [messages, performance.now()];
    for (let round = 0; round < rounds; round++) watched.push(await share());
    const perSecond = ((messages - from) * 1000) / (performance.now() - at);
    return { queries, without, watched, perSecond };
  });
  const [idle, busy] = [spread(found.without), spread(found.watched)];
  const cost = busy.median - idle.median;
  const report = {
    scenario: 'positions',
    dibs: significant(cost, 3),
    peer: null,
    ratio: significant(cost, 3),
    unit: 'cores',
    spread: { without: idle, watched: busy },
    queryP50Ms: significant(found.queries[QUERIES / 2] ?? 0, 3),
    queryP99Ms: significant(found.queries[QUERIES * 0.99] ?? 0, 3),
    watchers: WATCHERS,
    messagesPerSecond: Math.round(found.perSecond),
    jobs,
    rounds,
  };
  process.stdout.write(`${json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}

/** Single-job workflows that wait; their ids. */
async function fill(client: DibsClient, count: number): Promise<string[]> {
  const ids: string[] = [];
  const spec = {
    allowUnknownTypes: true,
    steps: [{ type: TYPE, cost: 1, input: { cost: 1, factor: 1 } }],
  };
  function* source(): Generator<{ requestId: string; workflow: typeof spec }> {
    for (let i = 0; i < count; i++) yield { requestId: `job-${i}`, workflow: spec };
  }
  for await (const outcome of client.submitMany(source(), { maxInFlight: 4096 })) {
    if (outcome.kind === 'refused') throw outcome.error;
    if (outcome.kind === 'acked') ids.push(outcome.workflowId);
  }
  return ids;
}

/** A stream for each of as many jobs, evenly along the queue; gives what ends them. */
async function watch(address: string, ids: readonly string[], told: () => void): Promise<() => void> {
  const stop = new AbortController();
  const clients = Array.from({ length: WATCHERS / WATCHERS_A_CLIENT }, () => createClient({ address }));
  await Promise.all(
    Array.from({ length: WATCHERS }, async (_, index) => {
      const client = clients[index % clients.length] as DibsClient;
      // Not the very first: they are claimed before they are watched.
      const at = Math.floor(((index + 1) * (ids.length - 1)) / WATCHERS);
      const job = `job_${(ids[at] as string).slice(3)}-0-0`;
      const changes = client.watchPosition([job], { signal: stop.signal });
      await changes.next();
      void (async () => {
        for await (const _change of changes) told();
      })().catch(() => {});
    }),
  );
  return () => {
    stop.abort();
    for (const client of clients) client.close();
  };
}
