/**
 * Submitted at coordinator 1, run by agents on coordinator 2, watched at coordinator 1; coordinator 2 is killed halfway.
 * The workflow completes and the watcher sees every event once, in order.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../sdk/client/index.ts';
import type { LogEvent } from '../../sdk/client/index.ts';
import { startProc } from '../support/proc.ts';
import type { Proc } from '../support/proc.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis({ durable: true });
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-e2e-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function coordinator(): Promise<{ proc: Proc; address: string }> {
  const proc = startProc('cli/dibs.ts', {
    args: [
      'coordinator',
      'start',
      '--listen',
      '127.0.0.1:0',
      '--redis-url',
      redis().url,
      '--data-dir',
      join(folder, 'data'),
      '--offer-lease',
      '2s',
      '--due-interval',
      '250ms',
      '--log-format',
      'json',
    ],
  });
  const { address } = await proc.json<{ msg?: string; address: string }>((line) => line.msg === 'serving');
  return { proc, address };
}

test('the workflow completes and the watch has no gap', async () => {
  const first = await coordinator();
  const second = await coordinator();
  const agent = startProc('cli/dibs-agent.ts', {
    args: [
      'start',
      '--coordinator',
      `${second.address},${first.address}`,
      '--state-dir',
      join(folder, 'agent'),
      '--types',
      'text.count',
      '--slots',
      '2',
      '--log-format',
      'json',
    ],
  });
  await agent.json<{ msg?: string }>((line) => line.msg === 'connected', { timeoutMs: 30_000 });

  using client = createClient({ address: first.address });
  const { workflow } = await client.submit({
    steps: [
      { type: 'text.count', name: 'wide', forEach: { items: 200 }, input: { text: 'one {{item}} two' } },
      { type: 'text.count', name: 'last', dependsOn: ['wide'], input: { text: 'the end' } },
    ],
  });
  const events: LogEvent[] = [];
  const watching = (async () => {
    for await (const event of client.watch(workflow.id)) if (event.type !== 'resync') events.push(event);
  })();
  await until(
    'the first jobs to be done',
    () => events.filter((event) => event.type === 'job.succeeded').length >= 20,
    { timeoutMs: 60_000 },
  );
  second.proc.signal('SIGKILL');
  await second.proc.exit();
  await watching;

  expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
  expect(events.at(-1)?.type).toBe('workflow.succeeded');
  const succeeded = events.filter((event) => event.type === 'job.succeeded').map((event) => event.jobId);
  expect(succeeded).toHaveLength(201);
  expect(new Set(succeeded).size).toBe(201);
  const ended = await client.wait(workflow.id);
  expect(ended.status).toBe('succeeded');

  agent.signal('SIGTERM');
  await agent.exitsWith(0, 30_000);
  first.proc.signal('SIGTERM');
  await first.proc.exitsWith(0, 30_000);
});
