/**
 * The commands of `dibs-agent`: runs the agent of this box, and talks to the one that runs.
 *
 * Data goes to standard output, everything else to standard error; exit codes are those of `runtime/exit-codes.ts`.
 */
import { Command, CommanderError, Option } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import { labelsOf } from '../agent/capabilities/labels.ts';
import { agentConfig, agentSettings } from '../agent/config.ts';
import type { AgentService } from '../agent/agent.ts';
import type { AgentConfig } from '../agent/config.ts';
import { askAgent } from '../agent/status/control.ts';
import type { ControlCommand } from '../agent/status/control.ts';
import { controlPath } from '../agent/status/control-path.ts';
import { LockedError } from '../agent/status/lock.ts';
import type { AgentSnapshot } from '../agent/status/snapshot.ts';
import { programVersion } from '../agent/status/version.ts';
import { ConfigError } from '../runtime/config-error.ts';
import { configPaths, readConfigFiles } from '../runtime/config-file.ts';
import { kebab, loadConfig } from '../runtime/config.ts';
import { ExitCode, exitCodeFor } from '../runtime/exit-codes.ts';
import { LOG_LEVELS, createLogger } from '../runtime/log.ts';
import type { LogLevel, LogOptions } from '../runtime/log.ts';
import { onStopSignals } from '../runtime/signals.ts';
import { showAgentWhy } from './operator/show-why.ts';

type Flags = Readonly<Record<string, unknown>>;

/** Variables that are ours and no settings of the agent. */
const KNOWN_ENV = ['DIBS_LOG_LEVEL', 'DIBS_LOG_FORMAT', 'DIBS_CONFIG', 'DIBS_TEST_FILE'];
const LOOK_MS = 100;

const program = new Command('dibs-agent')
  .description('Offers this machine to a Dibs coordinator and runs the jobs it wins.')
  .version(programVersion())
  .configureHelp({ sortSubcommands: false })
  .exitOverride();

const start = program
  .command('start')
  .description('run the agent in the foreground; the first SIGTERM drains, the second hands back');
settingsAsFlags(start);
start
  .addOption(new Option('--log-level <level>', 'what is logged').choices(LOG_LEVELS))
  .addOption(
    new Option('--log-format <format>', 'json lines or short ones; short on a terminal').choices([
      'json',
      'short',
    ]),
  )
  .action(async (flags: Flags) => {
    const exitCode = await run(flags);
    // Everything is closed; a handle an executor's module left open must not keep the process.
    process.exit(exitCode);
  });

for (const [command, description] of [
  ['status', 'show what the agent of this machine does'],
  ['drain', 'let it finish its jobs, then leave'],
  ['stop', 'hand its jobs back and leave at once'],
  ['pause', 'take no new jobs'],
  ['resume', 'take jobs again'],
] as const) {
  const sub = program
    .command(command)
    .description(description)
    .addOption(new Option('--state-dir <folder>', agentSettings.stateDir.doc))
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'),
    );
  if (command === 'drain' || command === 'stop') sub.option('--no-wait', 'do not wait until it is gone');
  if (command === 'pause' || command === 'resume') sub.option('--type <type>', 'one step type only');
  sub.action(async (flags: Flags) => {
    process.exitCode = await tell(command, flags);
  });
}

program
  .command('why')
  .description('say why this agent gets nothing: waiting jobs it does not take, by reason')
  .addOption(new Option('--state-dir <folder>', agentSettings.stateDir.doc))
  .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
  .action(async (flags: Flags) => {
    process.exitCode = await why(flags);
  });

program
  .command('config')
  .description('configuration')
  .command('show')
  .description('print each setting, its value and where it comes from')
  .action(() => {
    for (const { key, value, source } of load({}).shown)
      print(`${key.padEnd(22)} ${value.padEnd(30)} ${source}`);
  });

program
  .command('version')
  .description('print the version')
  .action(() => print(programVersion()));

/** Reads the command line; sets the exit code. */
export async function runAgentProgram(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/** Runs until the agent has ended. */
async function run(flags: Flags): Promise<ExitCode> {
  const { config, warnings } = load(flags);
  const log = createLogger({ component: 'agent', ...logOptions(flags) });
  for (const warning of warnings) log.warn(warning);
  const up: { agent?: AgentService } = {};
  // From the first moment to the last: a signal that comes while it loads or leaves must not look like a crash.
  onStopSignals({
    first: (signal) => (up.agent === undefined ? process.exit(ExitCode.OK) : up.agent.drain(signal)),
    second: (signal) => up.agent?.force(signal),
  });
  // Not at the top: gRPC takes half a second to load, and `status` needs none of it.
  const { createAgent } = await import('../agent/agent.ts');
  const agent = createAgent({ config, log });
  up.agent = agent;
  await agent.start();
  const { agentId, slots, executors } = agent.status();
  log.info(
    { agentId, slots: slots.total, executors: executors.map(({ type }) => type), stateDir: config.stateDir },
    'agent is up',
  );
  const { exitCode, reason } = await agent.ended;
  log.info({ reason, exitCode }, 'agent has ended');
  return exitCode;
}

/** Sends a command to the running agent and shows what it answers. */
async function tell(command: ControlCommand, flags: Flags): Promise<ExitCode> {
  const { stateDir } = load({ stateDir: flags['stateDir'] }).config;
  const socket = controlPath(stateDir);
  const type = (flags['type'] as string | undefined) ?? '';
  const snapshot = await askAgent(socket, command, { type });
  if (snapshot === undefined) {
    process.stderr.write(`No agent runs with the state directory ${stateDir}.\n`);
    return ExitCode.NOT_FOUND;
  }
  print(flags['output'] === 'json' ? JSON.stringify(snapshot) : table(snapshot));
  if (flags['wait'] === true) while ((await askAgent(socket, 'status')) !== undefined) await pause(LOOK_MS);
  return ExitCode.OK;
}

/** Asks the coordinator it is connected to; what the agent itself knows comes first. */
async function why(flags: Flags): Promise<ExitCode> {
  const { config } = load({ stateDir: flags['stateDir'] });
  const snapshot = await askAgent(controlPath(config.stateDir), 'status');
  if (snapshot === undefined) {
    process.stderr.write(`No agent runs with the state directory ${config.stateDir}.\n`);
    return ExitCode.NOT_FOUND;
  }
  const { link, state, agentId } = snapshot;
  if (link.coordinator === '') {
    print(`The agent is ${state} and has no coordinator: ${link.lastError || link.state}.`);
    return ExitCode.UNAVAILABLE;
  }
  const { explainOwnAgent } = await import('./agent-why.ts');
  const told = await explainOwnAgent(config, link.coordinator, agentId);
  const lines = showAgentWhy(told);
  print(flags['output'] === 'json' ? JSON.stringify(told) : lines.join('\n'));
  return ExitCode.OK;
}

function load(flags: Flags): {
  config: AgentConfig;
  warnings: readonly string[];
  shown: ReturnType<typeof loadConfig>['shown'];
} {
  const named = process.env['DIBS_CONFIG'];
  const files = readConfigFiles(configPaths('agent'), named === '' ? undefined : named);
  const labels = flags['label'] === undefined ? undefined : labelsOf(flags['label'] as string[]);
  if (flags['label'] !== undefined && labels === undefined)
    throw new ConfigError(['label (flag --label) must be key=value']);
  const loaded = loadConfig(agentSettings, {
    flags: { ...flags, label: labels },
    env: process.env,
    files,
    knownEnv: KNOWN_ENV,
  });
  const tokenFile = (flags['tokenFile'] as string | undefined) ?? process.env['DIBS_TOKEN_FILE'] ?? '';
  return { config: agentConfig(loaded.values, tokenFile), warnings: loaded.warnings, shown: loaded.shown };
}

function logOptions(flags: Flags): Partial<LogOptions> {
  const level = (flags['logLevel'] ?? undefined) as LogLevel | undefined;
  const format = (flags['logFormat'] ?? process.env['DIBS_LOG_FORMAT']) as LogOptions['format'];
  return { ...(level === undefined ? {} : { level }), ...(format === undefined ? {} : { format }) };
}

/** One flag a setting: `--foo-bar`; toggles need no value, lists may be repeated, secrets have a `-file` twin. */
function settingsAsFlags(command: Command): void {
  const toggles = ['tls', 'exitAfterJob'];
  const lists = ['executor', 'label'];
  for (const [name, setting] of Object.entries(agentSettings)) {
    const flag = `--${kebab(name)}`;
    const value = toggles.includes(name) ? '' : ' <value>';
    const option = new Option(`${flag}${value}`, setting.doc);
    if (lists.includes(name))
      option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
    command.addOption(option);
    if ('secret' in setting)
      command.addOption(new Option(`${flag}-file <path>`, `File that holds it: ${setting.doc}`));
  }
}

function table({
  pid,
  agentId,
  name,
  version,
  state,
  startedAt,
  link,
  slots,
  jobs,
  executors,
  notOffered,
}: AgentSnapshot): string {
  const trouble = link.lastError === '' ? '' : ` (${link.lastError})`;
  return [
    `agent      ${name} ${agentId} (process ${pid}, version ${version}, since ${startedAt})`,
    `state      ${state}`,
    `link       ${link.state} ${link.coordinator}${trouble}`,
    `slots      ${slots.running} of ${slots.total} running, ${slots.waiting} waiting`,
    `jobs       ${jobs.held} held, ${jobs.finished} finished, ${jobs.refused} refused, ${jobs.wasted} wasted, ${jobs.unconfirmed} unconfirmed`,
    ...executors.map(
      (one) =>
        `executor   ${one.type} ×${one.concurrency} ${one.isolation}, ${one.costPerSecond.toPrecision(3)} cost/s`,
    ),
    ...notOffered.map(({ type, reason }) => `left out   ${type}: ${reason}`),
  ].join('\n');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Says what went wrong and with which code to end. */
function explain(error: unknown): ExitCode {
  // Commander has printed help, version or the mistake itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  process.stderr.write(`dibs-agent: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof LockedError ? ExitCode.CONFLICT : exitCodeFor(error);
}
