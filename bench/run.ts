/**
 * `npm run bench -- <scenario> [options]`: runs one bench by its name.
 *
 * Exit codes: those of the scenario; 2 for a scenario nobody knows.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { agents } from './agents/run.ts';
import { depth } from './depth/run.ts';
import { dispatch } from './dispatch/run.ts';
import { eta } from './eta/run.ts';
import { memory } from './memory/run.ts';
import { overhead } from './overhead/run.ts';
import { positions } from './positions/run.ts';
import { rates } from './throughput/run.ts';
import { WORKLOADS } from './throughput/workloads.ts';

const SCENARIOS: Readonly<
  Record<string, { about: string; run: (argv: readonly string[]) => Promise<number> }>
> = {
  ...Object.fromEntries(
    Object.values(WORKLOADS).map(({ name, about }) => [
      name,
      { about, run: (argv: readonly string[]) => rates(name, argv) },
    ]),
  ),
  dispatch: { about: 'time from submit to handler start in an idle system', run: dispatch },
  depth: { about: 'claims/s with a million jobs in 64 classes, against a thousand in one', run: depth },
  memory: { about: 'bytes of Redis of a waiting and of a finished job', run: memory },
  overhead: { about: '200 slots of jobs of 100 ms, against 200 loops without a queue', run: overhead },
  eta: { about: 'forecasts of 2,000 recorded jobs on unequal agents against their waits', run: eta },
  positions: { about: 'where a job stands among a million, asked and watched', run: positions },
  agents: { about: '10,000 agents and 1,000 watchers with nothing to do', run: agents },
  scripts: { about: 'time of the Lua scripts per job', run: script('./scripts/run.ts') },
  layouts: { about: 'Redis key layouts compared', run: script('./layouts/run.ts') },
};

function script(path: string): (argv: readonly string[]) => Promise<number> {
  return (argv) =>
    new Promise((resolve, reject) => {
      const file = fileURLToPath(new URL(path, import.meta.url));
      const child = spawn(process.execPath, [file, ...argv], { stdio: 'inherit' });
      // Ctrl-C reaches the child as well: it ends by itself, and this process after it.
      const wait = (): void => {};
      process.on('SIGINT', wait);
      const pass = (): void => void child.kill('SIGTERM');
      process.on('SIGTERM', pass);
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        process.off('SIGINT', wait);
        process.off('SIGTERM', pass);
        resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
      });
    });
}

function usage(): string {
  const names = Object.entries(SCENARIOS).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`);
  return `Usage: npm run bench -- <scenario> [options]\n\n${names.join('\n')}\n`;
}

const [name = '', ...argv] = process.argv.slice(2);
const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
if (name === '--help' || name === '-h') process.stdout.write(usage());
else if (scenario === undefined) {
  process.stderr.write(
    `${name === '' ? 'No scenario was named.' : `There is no scenario "${name}".`}\n\n${usage()}`,
  );
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await scenario.run(argv);
  } catch (error) {
    process.stderr.write(`bench ${name}: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
