/** `dibs version`: of this program and of what it runs on. */
import { Command } from 'commander';
import { programVersion } from '../agent/status/version.ts';
import type { Io } from './io.ts';
import { withOutput } from './options.ts';
import type { OutputFlags } from './options.ts';
import { printOne } from './output/print.ts';

export function versionCommand(io: Io): Command {
  const command = withOutput(new Command('version').description('print the version'), [
    'table',
    'json',
    'yaml',
  ]);
  return command.action(({ output }: OutputFlags) => {
    const version = programVersion();
    const about = { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
    printOne(io, output, about, { name: version, lines: () => [version] });
  });
}
