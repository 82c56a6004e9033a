/**
 * `dibs dev`: everything on this machine in one command, until Ctrl-C.
 *
 * The first Ctrl-C (or SIGTERM) lets agents finish their jobs, then ends 0; the second ends everything within seconds.
 * What is still queued stays in the data directory for the next start.
 */
import { Command, Option } from 'commander';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { kebab } from '../../runtime/config.ts';
import { ExitCode } from '../../runtime/exit-codes.ts';
import { LOG_LEVELS } from '../../runtime/log.ts';
import type { Durability } from '../../runtime/redis/durability.ts';
import { listenAddress } from '../../runtime/setting-types.ts';
import { onStopSignals } from '../../runtime/signals.ts';
import { createClient, DEFAULT_ADDRESS } from '../../sdk/client/index.ts';
import { checkListen } from '../coordinator/check.ts';
import { durabilitySettings } from '../coordinator/durability-settings.ts';
import { coordinatorSettings, loadCoordinatorSettings } from '../coordinator/settings.ts';
import { timeSettings } from '../coordinator/time-settings.ts';
import { QuietError, UsageError } from '../failure.ts';
import { InterruptedError, print, say } from '../io.ts';
import type { Io } from '../io.ts';
import { collect, wholeNumber } from '../options.ts';
import { paint } from '../output/paint.ts';
import { Stack } from './stack.ts';

interface Flags {
  readonly agents: number;
  readonly types: string;
  readonly executor?: readonly string[];
  readonly dataDir: string;
  readonly listen: string;
  readonly redisUrl?: string;
  readonly logLevel: string;
}

/** Settings of the coordinator that are taken here as well. */
const passedOn = { httpListen: coordinatorSettings.httpListen, ...durabilitySettings, ...timeSettings };
/** Whatever else runs on this machine, this starts. */
const FREE_PORT = '127.0.0.1:0';

export function devCommand(io: Io): Command {
  const command = new Command('dev')
    .description('run everything on this machine: a private Redis, a coordinator and agents')
    .addOption(new Option('--agents <n>', 'agents to start').argParser(wholeNumber(0, 64)).default(1))
    .option('--types <types>', 'step types the agents offer: types and patterns with commas', 'all')
    .option('--executor <module>', 'file with an executor of your own; may be repeated', collect)
    .option('--data-dir <folder>', 'where all data lies', '.dibs')
    .option('--listen <address>', 'where the coordinator serves', DEFAULT_ADDRESS)
    .option('--redis-url <url>', 'use this Redis instead of a private one (REDIS_URL)')
    .addOption(new Option('--log-level <level>', 'what the parts log').choices(LOG_LEVELS).default('info'))
    .action((flags: Flags) => dev(io, flags));
  command.optionsGroup('Of the coordinator (see dibs coordinator config):');
  for (const [name, { doc }] of Object.entries(passedOn))
    command.addOption(new Option(`--${kebab(name)} <value>`, doc));
  return command;
}

/** What the coordinator is told of these flags; a mistake in them is found before anything starts. */
function coordinatorPart(
  flags: Flags,
  { env }: Io,
): { coordinatorFlags: readonly string[]; durability: Durability } {
  const given = Object.keys(passedOn).flatMap((name) => {
    const value = (flags as unknown as Readonly<Record<string, string | undefined>>)[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const { values } = loadCoordinatorSettings(Object.fromEntries(given), env);
  if (values.httpListen === 'auto') given.push(['httpListen', FREE_PORT]);
  return {
    coordinatorFlags: given.flatMap(([name, value]) => [`--${kebab(name)}`, value]),
    durability: values.durability,
  };
}

async function dev(io: Io, flags: Flags): Promise<void> {
  const further = coordinatorPart(flags, io);
  const dataDir = resolve(io.cwd, flags.dataDir);
  const listen = await freeAddress(flags.listen, io);
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, '.gitignore'), '*\n');
  const redisUrl = flags.redisUrl ?? io.env['REDIS_URL'];
  if (further.durability === 't3' && !redisUrl)
    throw new UsageError('--durability t3 needs a Redis with a replica: give its address with --redis-url.');

  const leaving = new AbortController();
  let fatal: string | undefined;
  const painter = paint(io.color.stderr);
  const stack = new Stack({
    dataDir,
    listen,
    ...(redisUrl ? { redisUrl } : {}),
    agents: Array.from({ length: flags.agents }, (_, index) => ({
      name: `agent-${index + 1}`,
      types: flags.types,
      executors: (flags.executor ?? []).map((module) => resolve(io.cwd, module)),
    })),
    ...further,
    logLevel: flags.logLevel,
    onLog: (source, line) => say(io, `${painter('dim', source.padEnd(11))} ${line}`),
    onTrouble: (message, isFatal) => {
      if (isFatal) fatal ??= message;
      if (!isFatal) say(io, painter('yellow', `dibs: ${message}`));
      if (isFatal) leaving.abort(new Error(message));
    },
  });
  const hurried = new AbortController();
  const removeHooks = onStopSignals({
    first: () => {
      say(io, 'Stopping: agents finish their jobs. Ctrl-C again stops now.');
      leaving.abort(new InterruptedError());
    },
    second: () => hurried.abort(),
  });
  try {
    await stack.start(leaving.signal);
    await announce(io, stack.address, dataDir, flags.agents, leaving.signal, stack);
    if (!leaving.signal.aborted) await once(leaving.signal, 'abort');
  } catch (error) {
    if (!leaving.signal.aborted) throw error;
  } finally {
    await end(stack, hurried.signal, fatal !== undefined);
    removeHooks();
  }
  if (fatal !== undefined) throw new Error(fatal);
  if (hurried.signal.aborted) throw new QuietError(ExitCode.INTERRUPTED);
  say(io, 'Stopped.');
}

async function end(stack: Stack, hurried: AbortSignal, atOnce: boolean): Promise<void> {
  if (atOnce || hurried.aborted) return stack.kill();
  const stopped = stack.stop();
  const hurry = (): void => void stack.kill();
  hurried.addEventListener('abort', hurry, { once: true });
  await stopped;
  hurried.removeEventListener('abort', hurry);
}

async function announce(
  io: Io,
  address: string,
  dataDir: string,
  agents: number,
  signal: AbortSignal,
  stack: Stack,
): Promise<void> {
  const client = createClient({ address });
  try {
    await stack.agentsConnected(client, signal);
  } finally {
    client.close();
  }
  print(io, address);
  const lines = [
    `Dibs is up on ${address}: ${agents} ${agents === 1 ? 'agent' : 'agents'}, data in ${dataDir}. Ctrl-C stops it.`,
    'Try, in another terminal:',
    ...(address === DEFAULT_ADDRESS ? [] : [`  export DIBS_ADDRESS=${address}`]),
    `  dibs workflow submit --type value.echo --input '{"hello":"world"}' --wait`,
    '  dibs agent list',
    '  dibs workflow list',
  ];
  for (const line of lines) say(io, line);
}

/** Fails early and in words where the port is taken; a port of 0 stays. */
async function freeAddress(given: string, { env }: Io): Promise<string> {
  const parsed = listenAddress.safeParse(given);
  if (!parsed.success)
    throw new UsageError(`--listen ${parsed.error.issues[0]?.message ?? 'is no address'}.`);
  const { host, port } = parsed.data;
  try {
    await checkListen(host, port, env['DIBS_TOKEN'] ?? env['DIBS_TOKEN_FILE']);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}. Does "dibs dev" run already?`);
  }
  return host === '' ? `:${port}` : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
