/** Executors that hang under an agent that lives: their jobs keep their leases, and their condition is reported. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Verdict } from '../../../proto/gen/index.ts';
import type { Heartbeat__Output, ProcessUsage__Output } from '../../../proto/gen/index.ts';
import { confirmAll } from '../../support/fake-coordinator.ts';
import type { FakeSession } from '../../support/fake-coordinator.ts';
import { isAlive } from '../../support/processes.ts';
import { startAgentProcess } from './support/agent-process.ts';
import { startCoordinator, tempFolder } from './support/rig.ts';

const HEARTBEAT_MS = 200;

async function start(): Promise<{ session: FakeSession; folder: string }> {
  const folder = await tempFolder();
  const coordinator = await startCoordinator({
    welcome: (hello) => ({ ...confirmAll(hello), heartbeatIntervalMs: HEARTBEAT_MS }),
  });
  // Jobs side by side, however few cores there are.
  await startAgentProcess(coordinator, folder, ['--slots', '4']);
  return { session: await coordinator.session(), folder };
}

/** What a heartbeat to come, or past, says of the process of a job. */
async function usage(
  session: FakeSession,
  jobId: string,
  accept: (usage: ProcessUsage__Output) => boolean = () => true,
): Promise<ProcessUsage__Output> {
  const of = (heartbeat: Heartbeat__Output | null): ProcessUsage__Output | undefined =>
    heartbeat?.telemetry?.processes.find((one) => one.jobId === jobId && accept(one));
  const { heartbeat } = await session.messages.find((up) => of(up.heartbeat) !== undefined);
  return of(heartbeat) as ProcessUsage__Output;
}

it('a stopped process keeps its job in every heartbeat until the attempt timeout ends it', async () => {
  const { session, folder } = await start();
  const input = JSON.stringify({ until: join(folder, 'never') });
  session.offer({ jobId: 'job_1', type: 'test.hold', inputJson: input, timeoutMs: 1_500 });
  await session.named('started', 'job_1');
  const { pid } = await usage(session, 'job_1');
  process.kill(pid, 'SIGSTOP');
  const before = session.messages.seen.length;
  const completion = await session.completion('job_1');
  expect(completion).toMatchObject({
    verdict: Verdict.VERDICT_TIMED_OUT,
    outcome: { reason: 'DEADLINE_EXCEEDED_RUNNING' },
  });
  expect(isAlive(pid)).toBe(false);
  const since = session.messages.seen.slice(before);
  const until = since.findIndex(({ completed }) => completed.length > 0);
  const beats = since.slice(0, until).flatMap(({ heartbeat }) => (heartbeat === null ? [] : [heartbeat]));
  expect(beats.length).toBeGreaterThan(3);
  for (const { held } of beats) expect(held.map(({ jobId }) => jobId)).toEqual(['job_1']);
  session.offer({ jobId: 'job_2', type: 'value.echo', inputJson: '2' });
  await session.completion('job_2');
});

it('a busy process, and one whose helper is busy, show as busy; an idle one does not', async () => {
  const { session, folder } = await start();
  const input = JSON.stringify({ until: join(folder, 'never') });
  session.offer({ jobId: 'job_busy', type: 'test.grind', inputJson: input });
  session.offer({ jobId: 'job_helped', type: 'test.delegate' });
  const busy = await usage(session, 'job_busy', ({ cpu }) => cpu > 0.15);
  const helped = await usage(session, 'job_helped', ({ cpu }) => cpu > 0.15);
  expect(busy).toMatchObject({ type: 'test.grind' });
  expect(helped).toMatchObject({ type: 'test.delegate' });
  expect(busy.pid).not.toBe(helped.pid);
  for (const { memoryBytes, swapBytes } of [busy, helped]) {
    expect(memoryBytes).toBeGreaterThan(10 * 1024 * 1024);
    expect(swapBytes).toBeLessThan(memoryBytes + 1024 ** 3);
  }
  // Two of them share the helper's and its own memory.
  expect(helped.memoryBytes).toBeGreaterThan(busy.memoryBytes);
  for (const jobId of ['job_busy', 'job_helped']) session.cancel(jobId);
  await session.completion('job_busy');
  session.offer({ jobId: 'job_idle', type: 'test.hold', inputJson: input });
  await session.named('started', 'job_idle');
  await usage(session, 'job_idle', ({ cpu }) => cpu < 0.05);
});
