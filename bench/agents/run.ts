/**
 * Scenario "agents": what a coordinator costs that has nothing to do: 10,000 agents with a TCP connection each and a heartbeat every
 * 30 s, and 1,000 watchers of workflows that wait.
 *
 * `dibs` and `ratio` are the share of one core that the coordinator takes once all are connected; the report has its memory, and how
 * late its event loop is (99th percentile), then and while the agents connect.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../sdk/client/index.ts';
import type { SwarmSetup } from '../roles/swarm.ts';
import type { CoordinatorSetup } from '../roles/coordinator.ts';
import { processCpu } from '../support/process-cpu.ts';
import { RoleProcess } from '../support/role-process.ts';
import { readOptions, withFolder } from '../support/scenario.ts';
import { significant, spread } from '../support/spread.ts';
import { startBenchRedis } from '../throughput/bench-redis.ts';

const HEARTBEAT_MS = 30_000;
const PER_PROCESS = 2500;
/** One watcher to this many agents. */
const AGENTS_A_WATCHER = 10;
/** Watchers that share a connection. */
const WATCHERS_A_CLIENT = 100;
/** A round, to a second of --warm-up: the time after the last has connected. */
const MEASURED_PER_S_MS = 4000;

export async function agents(argv: readonly string[]): Promise<number> {
  const options = readOptions('agents', argv, { jobs: '10000', rounds: '3', 'warm-up': '5' });
  if (options === undefined) return 2;
  const { jobs: count, rounds, warmUp, json } = options;
  const found = await withFolder(async (folder, cleanup) => {
    await mkdir(join(folder, 'coordinator'));
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
    await coordinator.ask('loopDelay');
    const connectingAt = performance.now();
    const before = processCpu(coordinator.pid).totalMs;
    const swarms: RoleProcess[] = [];
    for (let first = 0; first < count; first += PER_PROCESS) {
      swarms.push(
        await start<SwarmSetup>('swarm', {
          address,
          first,
          count: Math.min(PER_PROCESS, count - first),
          heartbeatMs: HEARTBEAT_MS,
        }),
      );
    }
    const connectMs = performance.now() - connectingAt;
    const connecting = {
      seconds: significant(connectMs / 1000, 3),
      cores: significant((processCpu(coordinator.pid).totalMs - before) / connectMs, 2),
      loopDelayP99Ms: significant(await coordinator.ask<number>('loopDelay'), 3),
    };
    const watchers = Math.floor(count / AGENTS_A_WATCHER);
    const stopWatching = await watch(address, watchers);
    cleanup.add(stopWatching);
    await sleep(warmUp * 1000);
    await coordinator.ask('loopDelay');
    const shares: number[] = [];
    const delays: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [cpu, at] = [processCpu(coordinator.pid).totalMs, performance.now()];
      await sleep(warmUp * MEASURED_PER_S_MS);
      shares.push((processCpu(coordinator.pid).totalMs - cpu) / (performance.now() - at));
      delays.push(await coordinator.ask<number>('loopDelay'));
    }
    let lost = 0;
    for (const swarm of swarms) lost += await swarm.ask<number>('ended');
    if (lost > 0) throw new Error(`${lost} agents lost their connection`);
    return { connecting, watchers, shares, delays, memoryBytes: await residentBytes(coordinator.pid) };
  });
  const share = spread(found.shares);
  const report = {
    scenario: 'agents',
    dibs: significant(share.median, 3),
    peer: null,
    ratio: significant(share.median, 3),
    unit: 'cores',
    spread: share,
    loopDelayP99Ms: significant(spread(found.delays).median, 3),
    memoryMiB: Math.round(found.memoryBytes / 2 ** 20),
    agents: count,
    watchers: found.watchers,
    heartbeatMs: HEARTBEAT_MS,
    connecting: found.connecting,
    rounds,
  };
  process.stdout.write(`${json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}

/** Watchers of as many workflows that wait; gives what ends them. */
async function watch(address: string, count: number): Promise<() => void> {
  const stop = new AbortController();
  const clients = Array.from({ length: Math.ceil(count / WATCHERS_A_CLIENT) }, () =>
    createClient({ address }),
  );
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const client = clients[index % clients.length] as (typeof clients)[number];
      const spec = { allowUnknownTypes: true, steps: [{ type: 'bench.nobody', input: {} }] };
      const { workflow } = await client.submit(spec);
      const events = client.watch(workflow.id, { signal: stop.signal });
      await events.next();
      void (async () => {
        for await (const _event of events);
      })().catch(() => {});
    }),
  );
  return () => {
    stop.abort();
    for (const client of clients) client.close();
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
}
