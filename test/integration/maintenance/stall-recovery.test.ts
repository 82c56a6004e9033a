/** A coordinator recovers a stalled job, as a chore of the fleet and without it. */
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { createLogger } from '../../../runtime/log.ts';
import { createClient } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
const times = { heartbeatMs: 200, leaseMs: 1200, offerMs: 400, sweepMs: 200, sweepSlackMs: 800, dueMs: 100 };

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
});

interface Line {
  readonly msg: string;
  readonly level: string;
}

async function start(namespace: string): Promise<{ one: TestCoordinator; lines: Line[]; raw: Redis }> {
  const lines: Line[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const log = createLogger({ component: 'coordinator', level: 'debug', format: 'json', destination });
  const raw = new Redis({ host: redis().host, port: redis().port });
  closing.push(() => raw.disconnect());
  const one = await startCoordinator(redis().url, { namespace, times, log });
  closing.push(() => one.stop());
  return { one, lines, raw };
}

/** A job accepted by an agent that then says nothing is done by another one. */
async function recover({ address }: TestCoordinator): Promise<void> {
  const silent = new RawAgent({ address, types: ['echo'], credits: 1, answer: () => undefined });
  closing.push(() => silent.close());
  silent.on('offer', ({ jobId, token }) => silent.send({ accepted: [{ jobId, token }] }));
  await silent.welcomed;
  const client = createClient({ address });
  closing.push(() => client.close());
  const { workflow } = await client.submit({ steps: [{ type: 'echo', input: {} }] });
  await until('the silent agent to have it', () => silent.offers.length === 1);
  const other = new RawAgent({ address, types: ['echo'], answer: () => ({ output: 'done' }) });
  closing.push(() => other.close());
  const { status } = await client.wait(workflow.id);
  expect(status).toBe('succeeded');
  expect(other.offers).toHaveLength(1);
}

test('the chore sweeps', async () => {
  const { one, lines, raw } = await start('chore');
  await recover(one);
  expect(Number((await raw.hgetall('{chore-chores}:chores:repeat:sweep'))['ic'])).toBeGreaterThan(1);
  expect(lines.some(({ msg }) => msg === 'a job stalled')).toBe(true);
});

test('a coordinator sweeps by itself where the chores cannot be done, and says once why', async () => {
  const raw = new Redis({ host: redis().host, port: redis().port });
  closing.push(() => raw.disconnect());
  for (const key of ['repeat', 'wait', 'active', 'delayed', 'marker'])
    await raw.set(`{broken-chores}:chores:${key}`, 'not what BullMQ expects');
  const { one, lines } = await start('broken');
  await recover(one);
  expect(lines.filter(({ msg }) => msg.startsWith('the chores are in trouble'))).toHaveLength(1);
  expect(lines.filter(({ msg }) => msg.startsWith('nobody swept')).length).toBeGreaterThan(0);
});

test('the backstop leaves a cell alone that somebody sweeps', async () => {
  const { lines, raw } = await start('idle');
  await until('20 chores', async () => {
    const { ic } = await raw.hgetall('{idle-chores}:chores:repeat:sweep');
    return Number(ic) >= 20;
  });
  const overdue = lines.filter(({ msg }) => msg.startsWith('nobody swept'));
  // One before the first chore; others only where this machine was too busy to do a chore in time.
  expect(overdue.length).toBeLessThan(10);
});
