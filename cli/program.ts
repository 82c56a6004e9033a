/**
 * The `dibs` program: noun, then verb. `runCli` never ends the process; it gives the exit code.
 *
 * Commands get their streams from `Io`, so tests run the whole program in their own process.
 */
import { Command } from 'commander';
import { programVersion } from '../agent/status/version.ts';
import type { ExitCode } from '../runtime/exit-codes.ts';
import { artifactCommand } from './artifact-commands.ts';
import { coordinatorCommand } from './coordinator/commands.ts';
import { devCommand } from './dev/dev.ts';
import { executorCommand } from './executor-commands.ts';
import { explain } from './failure.ts';
import type { Io } from './io.ts';
import { agentCommand, queueCommand } from './operator-commands.ts';
import { jobCommand } from './operator/job-commands.ts';
import { topCommand } from './operator/top.ts';
import { versionCommand } from './version-command.ts';
import { workflowCommand } from './workflow/commands.ts';

const EXIT_CODES = `
Exit codes: 0 ok · 1 error · 2 usage · 4 auth · 5 not found · 6 conflict · 7 coordinator unavailable ·
8 workflow failed · 9 canceled or expired · 78 bad configuration · 124 timeout · 130 Ctrl-C`;

export async function runCli(args: readonly string[], io: Io): Promise<ExitCode> {
  const program = buildProgram(io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    return explain(error, io);
  }
}

function buildProgram(io: Io): Command {
  const program = new Command('dibs')
    .description('Agents call dibs on jobs: submit workflows, watch them, run the fleet.')
    .version(programVersion())
    .addHelpText('after', EXIT_CODES);
  const commands = [
    devCommand(io),
    workflowCommand(io),
    artifactCommand(io),
    jobCommand(io),
    topCommand(io),
    queueCommand(io),
    agentCommand(io),
    coordinatorCommand(io),
    executorCommand(io),
    versionCommand(io),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of everyCommand(program)) {
    command
      .exitOverride()
      .showHelpAfterError(false)
      .configureOutput({
        writeOut: (text) => void io.stdout.write(text),
        writeErr: (text) => void io.stderr.write(text),
        getOutHelpWidth: io.columns,
        getErrHelpWidth: io.columns,
        getOutHasColors: () => io.color.stdout,
        getErrHasColors: () => io.color.stderr,
        outputError: (text, write) => write(text.replace(/^error: /, 'dibs: ')),
      });
  }
  return program;
}

function* everyCommand(command: Command): Generator<Command> {
  yield command;
  for (const sub of command.commands) yield* everyCommand(sub);
}
