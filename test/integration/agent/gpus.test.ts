/** GPUs are shared by memory: what does not fit is not asked for, and each job has GPUs of its own. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tokenOf } from '../../support/fake-coordinator.ts';
import { until } from '../../support/until.ts';
import { startAgent, startCoordinator } from './support/rig.ts';
import { ECHO } from './support/scripted-host.ts';

const GIB = 2 ** 30;
const folder = mkdtempSync(join(tmpdir(), 'dibs-gpus-'));
const { PATH } = process.env;

beforeAll(() => {
  const rows = ['GPU-one, NVIDIA RTX, 24576, 24000, 550.1', 'GPU-two, NVIDIA RTX, 24576, 24000, 550.1'];
  const program = join(folder, 'nvidia-smi');
  writeFileSync(program, `#!/bin/sh\ncat <<'END'\n${rows.join('\n')}\nEND\n`);
  chmodSync(program, 0o755);
  process.env['PATH'] = `${folder}:${PATH}`;
});
afterAll(() => {
  process.env['PATH'] = PATH;
  rmSync(folder, { recursive: true });
});

const SMALL = { ...ECHO, type: 'gpu.small', concurrency: 8, gpus: 1, vramBytes: 10 * GIB };
const WHOLE = { ...ECHO, type: 'gpu.whole', concurrency: 8, gpus: 1 };
const PAIR = { ...ECHO, type: 'gpu.pair', concurrency: 8, gpus: 2, vramBytes: 12 * GIB };

test('credits are what memory has room for, whichever type takes it', async () => {
  const coordinator = await startCoordinator();
  const { host } = await startAgent([coordinator], { executors: [SMALL, WHOLE, PAIR] });
  const session = await coordinator.session();
  expect(session.hello.advertisement?.hardware?.gpus.map(({ uuid }) => uuid)).toEqual(['GPU-one', 'GPU-two']);
  const credits = async (small: number, whole: number, pair: number) =>
    session.credits(
      ({ byType }) =>
        byType['gpu.small'] === small && byType['gpu.whole'] === whole && byType['gpu.pair'] === pair,
    );
  // Two of 10 GiB on each of 24; as wholes two; of pairs two.
  await credits(4, 2, 2);
  session.offer({ jobId: 'job_1', type: 'gpu.small' });
  await credits(3, 1, 1);
  session.offer({ jobId: 'job_2', type: 'gpu.whole' });
  await credits(1, 0, 0);
  expect(host.jobs.map(({ request }) => request.gpus)).toEqual([['GPU-one'], ['GPU-two']]);
  const { condition } = await session.messages.find(
    ({ condition: one }) => one?.gpuFreeBytes.join() === `${14 * GIB},0`,
  );
  expect(condition?.closed).toBe('');
  // What comes all the same is handed back, and says why.
  session.offer({ jobId: 'job_3', type: 'gpu.pair' });
  const { released } = await session.named('released', 'job_3');
  expect(released).toMatchObject([{ jobId: 'job_3', token: tokenOf('job_3'), reason: 'NO_VRAM' }]);
  host.jobs[1]?.succeed();
  await session.completion('job_2');
  await credits(3, 1, 1);
});

test('memory of the box is counted where an executor says what it needs', async () => {
  const coordinator = await startCoordinator();
  const { host } = await startAgent([coordinator], {
    executors: [{ ...ECHO, type: 'ram.half', concurrency: 8, memoryBytes: 2 ** 50 }, ECHO],
  });
  const session = await coordinator.session();
  await session.credits(({ byType }) => byType['ram.half'] === 0 && (byType['test.echo'] ?? 0) > 0);
  session.offer({ jobId: 'job_1', type: 'ram.half' });
  const { released } = await session.named('released', 'job_1');
  expect(released[0]?.reason).toBe('NO_MEMORY');
  expect(host.jobs).toHaveLength(0);
});

test('a paused type gets no credit, and others do', async () => {
  const coordinator = await startCoordinator();
  const { agent } = await startAgent([coordinator], { executors: [SMALL, ECHO] });
  const session = await coordinator.session();
  await session.credits(({ byType }) => byType['gpu.small'] === 4);
  agent.pauseType('gpu.small', true);
  await session.credits(({ byType }) => byType['gpu.small'] === 0 && (byType['test.echo'] ?? 0) > 0);
  await session.messages.find(({ condition }) => condition?.pausedTypes.join() === 'gpu.small');
  agent.pauseType('gpu.small', false);
  await until('credits again', async () => session.credits(({ byType }) => byType['gpu.small'] === 4));
  expect(() => agent.pauseType('gpu.nothing', true)).toThrow(/does not offer gpu\.nothing/);
});
