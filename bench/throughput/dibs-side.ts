/** Dibs as it is measured: redis-server, coordinators, agents and one consumer, each a process of its own. */
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
  options: Pick<
    ThroughputOptions,
    'agents' | 'coordinators' | 'isolation' | 'slots' | 'profileTo' | 'workload'
  >,
  cleanup: Cleanup,
): Promise<SystemUnderTest & { readonly socketPath: string; readonly address: string }> {
  const redis = await startBenchRedis(join(folder, 'redis'));
  cleanup.add(() => redis.stop());
  const start = async (name: string, setup: unknown): Promise<RoleProcess> => {
    const module = new URL(`./${name}.ts`, ROLES);
    const role = await RoleProcess.start({ name, module, setup, profileTo: options.profileTo });
    cleanup.add(() => role.stop());
    return role;
  };

  const coordinators: RoleProcess[] = [];
  for (let index = 0; index < options.coordinators; index++) {
    const own = join(folder, `coordinator-${index}`);
    await mkdir(own);
    const setup: CoordinatorSetup = { redisUrl: redis.url, folder: own };
    coordinators.push(await start('coordinator', setup));
  }
  const addressFor = (index: number): string => coordinators[index % coordinators.length]?.ready as string;
  const agents: RoleProcess[] = [];
  for (let index = 0; index < options.agents; index++) {
    const own = join(folder, `agent-${index}`);
    await mkdir(own);
    const { isolation, slots } = options;
    const setup: AgentSetup = { coordinator: addressFor(index), folder: own, isolation, slots };
    agents.push(await start('agent', setup));
  }
  const setup: ConsumerSetup = { coordinator: addressFor(0), workload: options.workload.name };
  const submitter = await start('consumer', setup);
  const processes = [{ name: 'redis', pid: redis.pid }, ...coordinators, ...agents, submitter];
  return { submitter, processes, socketPath: redis.socketPath, address: addressFor(0) };
}
