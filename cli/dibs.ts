#!/usr/bin/env node
/** The `dibs` command: gives the program this process's streams, and its exit code to this process. */
import { processIo } from './io.ts';
import { runCli } from './program.ts';

// `dibs workflow list | head` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), processIo());
