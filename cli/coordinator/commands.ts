/**
 * `dibs coordinator start|check|config`. The coordinator itself is loaded only when one of them runs.
 *
 * `start` prints one line to standard output once it serves: its address. Logs go to standard error.
 */
import { Command, Option } from 'commander';
import { once } from 'node:events';
import { ConfigError } from '../../runtime/config-error.ts';
import { kebab } from '../../runtime/config.ts';
import { ExitCode } from '../../runtime/exit-codes.ts';
import { LOG_LEVELS, createLogger } from '../../runtime/log.ts';
import type { LogLevel, LogOptions } from '../../runtime/log.ts';
import { onStopSignals } from '../../runtime/signals.ts';
import { QuietError } from '../failure.ts';
import { print, say } from '../io.ts';
import type { Io } from '../io.ts';
import { withOutput } from '../options.ts';
import type { OutputFlags } from '../options.ts';
import { printList } from '../output/print.ts';
import { checkCoordinator } from './check.ts';
import { coordinatorConfig, coordinatorSettings, loadCoordinatorSettings } from './settings.ts';

type Flags = Readonly<Record<string, unknown>>;

export function coordinatorCommand(io: Io): Command {
  const start = settingsAsFlags(new Command('start'))
    .description('run a coordinator in the foreground; SIGTERM and Ctrl-C let calls under way finish')
    .addOption(new Option('--log-level <level>', 'what is logged').choices(LOG_LEVELS))
    .addOption(
      new Option('--log-format <format>', 'json lines or short ones; short on a terminal').choices([
        'json',
        'short',
      ]),
    )
    .action((flags: Flags) => serve(io, flags));
  const check = settingsAsFlags(new Command('check'))
    .description('say whether a coordinator could start with this configuration, and what to do if not')
    .action(async (flags: Flags) => {
      if (!(await checkCoordinator(io, flags))) throw new QuietError(ExitCode.BAD_CONFIG);
    });
  const config = withOutput(settingsAsFlags(new Command('config')), ['table', 'json', 'yaml'])
    .description('print each setting, its value and where it comes from')
    .action((flags: Flags & OutputFlags) => showConfig(io, flags));
  return new Command('coordinator')
    .description('the server')
    .addCommand(start)
    .addCommand(check)
    .addCommand(config);
}

async function serve(io: Io, flags: Flags): Promise<void> {
  const { values, warnings } = loadCoordinatorSettings(flags, io.env);
  const log = createLogger({ component: 'coordinator', ...logOptions(flags, io) });
  for (const warning of warnings) log.warn(warning);
  const { createCoordinator } = await import('../../coordinator/coordinator.ts');
  const coordinator = createCoordinator(coordinatorConfig(values, { env: io.env, log }));

  const leaving = new AbortController();
  // Kept to the end: a signal that comes while it leaves must not look like a crash.
  onStopSignals({
    first: (signal) => {
      log.info({ signal }, 'stopping');
      leaving.abort();
    },
    second: () => process.exit(ExitCode.INTERRUPTED),
  });
  const starting = coordinator.start();
  await Promise.race([starting, once(leaving.signal, 'abort')]);
  // Nothing is served yet: there is nothing to wait for.
  if (leaving.signal.aborted) process.exit(ExitCode.OK);
  print(io, coordinator.address);
  if (!leaving.signal.aborted) await once(leaving.signal, 'abort');
  await coordinator.stop();
}

function showConfig(io: Io, { output, ...flags }: Flags & OutputFlags): void {
  const { shown, warnings } = loadCoordinatorSettings(flags, io.env);
  for (const warning of warnings) say(io, warning);
  printList(io, output, shown, {
    columns: [
      { title: 'SETTING', value: ({ key }) => key },
      { title: 'VALUE', value: ({ value }) => value || '-' },
      { title: 'SOURCE', value: ({ source }) => source },
    ],
    name: ({ key }) => key,
  });
}

/** One flag a setting; secrets have a `-file` twin, and no flag of their own: a command line is for all to see. */
function settingsAsFlags(command: Command): Command {
  for (const [name, setting] of Object.entries(coordinatorSettings)) {
    const secret = 'secret' in setting;
    command.option(secret ? `--${kebab(name)}-file <path>` : `--${kebab(name)} <value>`, setting.doc);
  }
  return command;
}

function logOptions(flags: Flags, io: Io): Partial<LogOptions> {
  const format = flags['logFormat'] ?? io.env['DIBS_LOG_FORMAT'];
  if (format !== undefined && format !== 'json' && format !== 'short') {
    throw new ConfigError([`DIBS_LOG_FORMAT must be json or short, not ${JSON.stringify(format)}`]);
  }
  const level = flags['logLevel'] as LogLevel | undefined;
  return { ...(level === undefined ? {} : { level }), ...(format === undefined ? {} : { format }) };
}
