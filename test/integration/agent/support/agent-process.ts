/** The real agent program against a coordinator of the test. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { FakeCoordinator, FakeSession } from '../../../support/fake-coordinator.ts';
import { startProc } from '../../../support/proc.ts';
import type { Proc } from '../../../support/proc.ts';

const EXECUTORS = join(import.meta.dirname, '../fixtures/executors.ts');

export async function startAgentProcess(
  coordinator: FakeCoordinator,
  folder: string,
  args: readonly string[] = [],
): Promise<Proc> {
  await mkdir(folder, { recursive: true });
  const proc = startProc('cli/dibs-agent.ts', {
    args: ['start', '--types', 'value.echo', '--executor', EXECUTORS, ...args],
    env: {
      DIBS_COORDINATOR: coordinator.address,
      DIBS_STATE_DIR: join(folder, 'state'),
      DIBS_CACHE_DIR: join(folder, 'cache'),
      DIBS_CONFIG: undefined,
    },
  });
  onTestFinished(() => proc.end());
  return proc;
}

/** Offers one job that runs until `release` is called. */
export async function hold(
  session: FakeSession,
  folder: string,
  jobId: string,
): Promise<{ release: () => Promise<void> }> {
  const until = join(folder, jobId);
  session.offer({ jobId, type: 'test.hold', inputJson: JSON.stringify({ until }) });
  await session.named('started', jobId);
  return { release: () => writeFile(until, '') };
}
