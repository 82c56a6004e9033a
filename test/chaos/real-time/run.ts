/**
 * The promises about time, shown in real time with default settings: nothing is scaled, no flag is set.
 *
 *   node test/chaos/real-time/run.ts [--only name,name] [--logs folder] [-o json]
 *
 * Scenarios run side by side, each on a fleet of its own; fleets are started one after another. Progress goes to
 * standard error, one JSON line to standard output at the end; the exit code is 0 only when everything held. All of it
 * takes about 13 minutes: four leases run out one after the other.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sigtermOnce, sigtermTwice } from './agent-signals.ts';
import { coordinatorRestart } from './coordinator-restart.ts';
import { Fleet } from './fleet.ts';
import { frozenAgent } from './frozen-agent.ts';
import { redisOutage } from './redis-outage.ts';
import { runScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { stalledFourTimes } from './stalled-four-times.ts';
import { wedgedExecutor } from './wedged-executor.ts';

/** 120 s of lease, 60 s between sweeps, and 5 s for what follows. */
const STALL_MS = 185_000;

/** The longest first: it decides how long all of it takes. */
const SCENARIOS: readonly Scenario[] = [
  stalledFourTimes({ withinMs: STALL_MS }),
  wedgedExecutor({ timeoutMs: 240_000 }),
  redisOutage({ name: 'redis-down-180s', outageMs: 180_000 }),
  frozenAgent({ jobMs: 40_000, withinMs: STALL_MS }),
  redisOutage({ name: 'redis-down-100s', outageMs: 100_000 }),
  coordinatorRestart({ jobMs: 30_000, killAfterMs: 10_000 }),
  sigtermOnce({ jobMs: 20_000 }),
  sigtermTwice(),
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    logs: { type: 'string' },
    output: { type: 'string', short: 'o', default: 'json' },
  },
});
const wanted = values.only?.split(',');
const unknown = wanted?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown !== undefined || values.output !== 'json') {
  process.stderr.write(
    unknown === undefined
      ? 'The only output format is json.\n'
      : `There is no scenario ${unknown}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}.\n`,
  );
  process.exit(2);
}

if (values.logs !== undefined) mkdirSync(values.logs, { recursive: true });

const fleets = new Set<Fleet>();
let starting: Promise<unknown> = Promise.resolve();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void leave());

const startedAt = performance.now();
const reports = await Promise.all(
  SCENARIOS.filter(({ name }) => wanted === undefined || wanted.includes(name)).map((scenario) =>
    runScenario(scenario, startFleet, (line) => say(`${scenario.name}: ${line}`)),
  ),
);
const ok = reports.every((report) => report.ok);
const seconds = Math.round((performance.now() - startedAt) / 1000);
process.stdout.write(`${JSON.stringify({ ok, seconds, scenarios: reports })}\n`);
process.exitCode = ok ? 0 : 1;

/** One at a time: dozens of processes that start at once would only delay each other. */
function startFleet({ name }: Scenario): Promise<Fleet> {
  const started = starting.then(async () => {
    const fleet = await Fleet.start(values.logs === undefined ? {} : { logs: join(values.logs, `${name}-`) });
    fleets.add(fleet);
    return fleet;
  });
  starting = started.catch(() => undefined);
  return started;
}

async function leave(): Promise<never> {
  say('stopped; ending everything');
  await starting;
  await Promise.all([...fleets].map((fleet) => fleet.stop()));
  process.exit(130);
}

function say(line: string): void {
  process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} ${line}\n`);
}
