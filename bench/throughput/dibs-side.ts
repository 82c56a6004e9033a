/** Dibs as it is measured: redis-server, one coordinator, agents and one consumer, each a process of its own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentSetup } from '../roles/agent.ts';
import type { ConsumerSetup } from '../roles/consumer.ts';
import type { CoordinatorSetup } from '../roles/coordinator.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { RoleProcess } from '../support/role-process.ts';
import { startBenchRedis } from './bench-redis.ts';
import type { ThroughputOptions } from './options.ts';
import type { SystemUnderTest } from './round.ts';

const ROLES = new URL('../roles/', import.meta.url);

export async function startDibs(
  folder: string,
  options: Pick<ThroughputOptions, 'agents' | 'isolation' | 'profileTo'>,
  cleanup: Cleanup,
): Promise<SystemUnderTest> {
  const redis = await startBenchRedis(join(folder, 'redis'));
  cleanup.add(() => redis.stop());
  const start = async (name: string, setup: unknown): Promise<RoleProcess> => {
    const module = new URL(`./${name}.ts`, ROLES);
    const role = await RoleProcess.start({ name, module, setup, profileTo: options.profileTo });
    cleanup.add(() => role.stop());
    return role;
  };

  const coordinator = await start('coordinator', { redisUrl: redis.url, folder } satisfies CoordinatorSetup);
  const address = coordinator.ready as string;
  const agents: RoleProcess[] = [];
  for (let index = 0; index < options.agents; index++) {
    const own = join(folder, `agent-${index}`);
    await mkdir(own);
    const setup: AgentSetup = { coordinator: address, folder: own, isolation: options.isolation };
    agents.push(await start('agent', setup));
  }
  const submitter = await start('consumer', { coordinator: address } satisfies ConsumerSetup);
  return { submitter, processes: [{ name: 'redis', pid: redis.pid }, coordinator, ...agents, submitter] };
}
