/** The HTTP listener through bad times: Redis away, a port that is taken, a coordinator that leaves, more jobs than are looked at. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../../coordinator/coordinator.ts';
import { createLogger } from '../../../runtime/log.ts';
import { createClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { lint, parseExposition } from '../../support/prometheus-lint.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
const http = { host: '127.0.0.1', port: 0 };
let one: TestCoordinator | undefined;

async function start(): Promise<TestCoordinator> {
  one = await startCoordinator(redis().url, { http, times: { pollMs: 20, heartbeatMs: 500 } });
  return one;
}

afterEach(async () => {
  await one?.stop();
  one = undefined;
  await redis().flush();
});

async function ask(path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${one?.coordinator.httpAddress}${path}`);
  return { status: response.status, text: await response.text() };
}

async function values(name: string): Promise<number[]> {
  const { text } = await ask('/metrics');
  expect(lint(text)).toEqual([]);
  const samples = [...parseExposition(text).families.values()].flatMap((family) => family.samples);
  return samples.filter((sample) => sample.name === name).map(({ value }) => value);
}

test('Redis away: not ready, still scraped, and ready again when it is back', async () => {
  const { address } = await start();
  const agent = new RawAgent({ address, types: ['any'], answer: () => undefined });
  await agent.welcomed;
  expect(await ask('/readyz')).toEqual({ status: 200, text: 'ready\n' });
  await redis().crash();
  expect(await ask('/readyz')).toEqual({ status: 503, text: 'Redis does not answer\n' });
  expect((await ask('/healthz')).status).toBe(200);
  await until('a reading of now', async () => (await values('dibs_redis_up'))[0] === 0);
  expect(await values('dibs_agent_heartbeat_age_seconds')).toEqual([]);
  await redis().restart();
  await until('Redis to answer', async () => (await ask('/readyz')).status === 200);
  await until('a reading of now', async () => (await values('dibs_redis_up'))[0] === 1);
  agent.close();
});

test('Redis that takes calls and never answers counts as down', async () => {
  await start();
  redis().freeze();
  try {
    expect((await ask('/readyz')).status).toBe(503);
  } finally {
    redis().thaw();
  }
});

test('whoever leaves is not ready from the first moment on', async () => {
  const { address, stop } = await start();
  // Stays for as long as it may: the coordinator waits for it.
  const agent = new RawAgent({ address, types: ['any'], answer: () => undefined });
  await agent.welcomed;
  const stopping = stop();
  one = { ...(one as TestCoordinator), stop: () => stopping };
  expect(await ask('/readyz')).toEqual({ status: 503, text: 'leaving\n' });
  await stopping;
  await expect(ask('/healthz')).rejects.toThrow();
  agent.close();
});

describe('an address that cannot be had', () => {
  const listening = async (port: number): Promise<boolean> => {
    const server = createServer();
    const bound = once(server, 'listening').then(() => true);
    server.listen(port, '127.0.0.1');
    const isFree = await Promise.race([bound, once(server, 'error').then(() => false)]).catch(() => false);
    if (isFree) await new Promise((resolve) => server.close(resolve));
    return !isFree;
  };
  const make = (told: { host: string; port: number }, tokens: string[] = []) =>
    createCoordinator({
      listen: { host: '127.0.0.1', port: 0 },
      http: told,
      tokens,
      redis: { url: redis().url },
      dataDir: '/nonexistent',
      log: createLogger({ component: 'coordinator', level: 'silent' }),
    });

  test('ends the start and leaves nothing that listens', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const coordinator = make({ host: '127.0.0.1', port });
    await expect(coordinator.start()).rejects.toThrow(/http-listen: .* is taken/);
    expect(await listening(Number(coordinator.address.split(':').at(-1)))).toBe(false);
    await new Promise((resolve) => taken.close(resolve));
  });

  test('names the setting and the cause where it is another', async () => {
    // Of a network for documentation: no machine has it.
    const coordinator = make({ host: '192.0.2.1', port: 0 }, ['secret']);
    await expect(coordinator.start()).rejects.toThrow(/http-listen: 192\.0\.2\.1:0 .*EADDRNOTAVAIL/);
  });

  test('is refused before anything starts where others reach it and there is no token', () => {
    expect(() => make({ host: '0.0.0.0', port: 0 })).toThrow(/token/);
  });
});

test('every job that ended counts, however many end at once', async () => {
  const { address } = await start();
  const client = createClient({ address });
  const agent = new RawAgent({ address, types: ['many'], credits: 50, answer: () => ({ output: null }) });
  await agent.welcomed;
  const { workflow } = await client.submit({
    steps: [{ type: 'many', forEach: { items: 600 }, input: {} }],
  });
  // Scrapes while it runs.
  const [outcome] = await Promise.all([
    client.wait(workflow.id),
    ...Array.from({ length: 4 }, () => values('dibs_jobs_submitted_total')),
  ]);
  expect(outcome).toBeDefined();
  await until('a reading of now', async () => (await values('dibs_job_wait_seconds_count')).join() === '600');
  expect(await values('dibs_job_run_seconds_count')).toEqual([600]);
  expect(await values('dibs_jobs_submitted_total')).toEqual([600]);
  expect(await values('dibs_jobs_finished_total')).toEqual([600]);
  client.close();
  agent.close();
});

test('the series of an agent that drained vanish, and it is not lost', async () => {
  const { address } = await start();
  const agent = new RawAgent({ address, id: 'leaver', types: ['any'], answer: () => undefined });
  await agent.welcomed;
  const ofAgent = async (): Promise<boolean> =>
    (await ask('/metrics')).text.includes('dibs_agent_heartbeat_age_seconds{agent="leaver"}');
  await until('its series', ofAgent);
  agent.send({ drain: { reason: 'test' } });
  await until('word of it', async () =>
    (await ask('/metrics')).text.includes('dibs_agents{state="draining"} 1'),
  );
  agent.close();
  await until('its series to vanish', async () => !(await ofAgent()));
  const { text } = await ask('/metrics');
  expect(text).toContain('dibs_agents{state="lost"} 0');
});
