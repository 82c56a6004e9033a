/**
 * A coordinator inside the test's own process, on a private Redis and a free port.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCoordinator } from '../../coordinator/coordinator.ts';
import type { Coordinator } from '../../coordinator/coordinator.ts';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createLogger } from '../../runtime/log.ts';

export interface TestCoordinator {
  readonly coordinator: Coordinator;
  readonly address: string;
  stop(): Promise<void>;
}

export async function startCoordinator(
  redisUrl: string,
  more: Partial<CoordinatorConfig> = {},
): Promise<TestCoordinator> {
  const dataDir = await mkdtemp(join(tmpdir(), 'dibs-coordinator-'));
  const coordinator = createCoordinator({
    listen: { host: '127.0.0.1', port: 0 },
    redis: { url: redisUrl },
    dataDir,
    log: createLogger({ component: 'coordinator', level: 'silent' }),
    ...more,
  });
  await coordinator.start();
  return {
    coordinator,
    address: coordinator.address,
    stop: async () => {
      await coordinator.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
