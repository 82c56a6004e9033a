/** An agent as a process of its own, with the defaults of `dibs-agent` and the no-op executor. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createAgent } from '../../agent/agent.ts';
import { createLogger } from '../../runtime/log.ts';
import { serveRole } from '../support/role.ts';

export interface AgentSetup {
  readonly coordinator: string;
  readonly folder: string;
  readonly isolation: 'inline' | 'process';
  /** Jobs at once. */
  readonly slots: number | 'auto';
  /** Runs the recorded jobs of scenario "eta" at this speed instead. */
  readonly recorded?: { readonly speed: number; readonly types: readonly string[] };
}

await serveRole(async ({ coordinator, folder, isolation, slots, recorded }: AgentSetup) => {
  const executors = [fileURLToPath(new URL(`./noop-${isolation}.ts`, import.meta.url))];
  if (recorded !== undefined) {
    // Executors are looked at by a child that has none of our variables: the speed stands in a module of its own.
    const path = `${folder}/recorded.ts`;
    const source = JSON.stringify(new URL('./recorded.ts', import.meta.url).href);
    const made = `recorded(${JSON.stringify({ ...recorded, slots })})`;
    await writeFile(path, `import { recorded } from ${source};\nexport default ${made};\n`);
    executors[0] = path;
  }
  const agent = createAgent({
    config: {
      coordinators: [coordinator],
      name: '',
      stateDir: `${folder}/state`,
      cacheDir: `${folder}/cache`,
      cacheMaxBytes: 2 ** 30,
      slots,
      prefetch: 'auto',
      // The list may not be empty; this one is inline and costs nothing.
      types: 'value.echo',
      executors,
      labels: {},
      token: { token: '', file: '' },
      tls: { enabled: false, ca: '', cert: '', key: '' },
      drainTimeoutMs: 5000,
      exit: { afterIdleMs: undefined, afterJobs: undefined, afterUptimeMs: undefined },
      onCoordinatorLost: 'finish-running',
      models: { maxBytes: 2 ** 30, minFreeBytes: 2 ** 20 },
    },
    log: createLogger({ component: 'agent', level: 'warn' }),
  });
  await agent.start();
  return { stop: () => agent.stop() };
});
