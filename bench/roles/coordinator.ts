/** A coordinator as a process of its own. */
import { createCoordinator } from '../../coordinator/coordinator.ts';
import { LoopDelay } from '../../agent/heartbeat/loop-delay.ts';
import { createLogger } from '../../runtime/log.ts';
import { serveRole } from '../support/role.ts';

export interface CoordinatorSetup {
  readonly redisUrl: string;
  readonly folder: string;
}

await serveRole(async ({ redisUrl, folder }: CoordinatorSetup) => {
  const coordinator = createCoordinator({
    listen: { host: '127.0.0.1', port: 0 },
    redis: { url: redisUrl },
    dataDir: folder,
    log: createLogger({ component: 'coordinator', level: 'warn' }),
  });
  await coordinator.start();
  const loop = new LoopDelay();
  loop.start();
  return {
    ready: coordinator.address,
    // Since it was last asked.
    commands: { loopDelay: () => Promise.resolve(loop.take()) },
    stop: () => coordinator.stop(),
  };
});
