/** A coordinator and an agent, started for one test and closed after it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createAgent } from '../../../../agent/agent.ts';
import type { AgentOptions, AgentService } from '../../../../agent/agent.ts';
import type { AgentConfig } from '../../../../agent/config.ts';
import type { ExecutorDescription } from '../../../../agent/jobs/contract.ts';
import { FakeCoordinator } from '../../../support/fake-coordinator.ts';
import type { FakeOptions } from '../../../support/fake-coordinator.ts';
import { agentConfig, quietLog } from './agent-config.ts';
import { ScriptedHost } from './scripted-host.ts';

export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-agent-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function startCoordinator(options: FakeOptions = {}): Promise<FakeCoordinator> {
  const coordinator = await FakeCoordinator.start(options);
  onTestFinished(() => coordinator.stop());
  return coordinator;
}

export interface StartedAgent {
  readonly agent: AgentService;
  readonly host: ScriptedHost;
  readonly folder: string;
}

export async function startAgent(
  coordinators: readonly FakeCoordinator[],
  about: {
    config?: Partial<AgentConfig>;
    executors?: readonly ExecutorDescription[];
    folder?: string;
    createHost?: AgentOptions['createHost'];
  } = {},
): Promise<StartedAgent> {
  const folder = about.folder ?? (await tempFolder());
  const host = new ScriptedHost(about.executors);
  const agent = createAgent({
    config: agentConfig(
      folder,
      coordinators.map(({ address }) => address),
      about.config,
    ),
    log: quietLog,
    createHost: about.createHost ?? (() => host),
    // The first address first, no waits between attempts, heartbeats at once.
    random: () => 0,
  });
  await agent.start();
  onTestFinished(async () => {
    agent.force('the test is over');
    await agent.ended;
  });
  return { agent, host, folder };
}
