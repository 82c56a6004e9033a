/** `dibs executor run`: tries an executor without a coordinator. What it does is in `executor-run.ts`, loaded when it runs. */
import { Command, Option } from 'commander';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { ExitCode } from '../runtime/exit-codes.ts';
import { QuietError } from './failure.ts';
import type { Io } from './io.ts';
import { collectPairs, duration } from './options.ts';

interface Flags {
  readonly type?: string;
  readonly input: string;
  readonly file?: Record<string, string>;
  readonly out?: string;
  readonly timeout?: number;
}

export function executorCommand(io: Io): Command {
  const run = new Command('run')
    .description('run one job of an executor here and print its output as JSON')
    .argument('<module>', 'file with the executor')
    .option('--type <type>', 'which executor, where the module has several')
    .option('--input <json>', 'JSON, @file, or "-" for standard input', '{}')
    .option('--file <name=path>', 'file that {"$file": "name"} stands for; may be repeated', collectPairs)
    .option('--out <folder>', 'where artifacts of the output go; default a fresh temporary folder')
    .addOption(new Option('--timeout <duration>', 'stop the job after this time').argParser(duration))
    .action(async (modulePath: string, flags: Flags) => {
      const { runExecutor } = await import('./executor-run.ts');
      const code = await runExecutor({
        modulePath: resolve(io.cwd, modulePath),
        input: flags.input,
        stdin: io.stdin as Readable & NodeJS.ReadableStream,
        stdout: io.stdout,
        stderr: io.stderr,
        signal: io.interrupted,
        ...(flags.type === undefined ? {} : { type: flags.type }),
        ...(flags.file === undefined ? {} : { files: flags.file }),
        ...(flags.out === undefined ? {} : { outDir: resolve(io.cwd, flags.out) }),
        ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
      });
      if (code !== ExitCode.OK) throw new QuietError(code as ExitCode);
    });
  return new Command('executor').description('try and check executors').addCommand(run);
}
