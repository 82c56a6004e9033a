#!/usr/bin/env node
/** The `dibs` command: gives the program this process's streams, and its exit code to this process. */
import { enableCompileCache } from 'node:module';

// The program is loaded after this: most of a short command's time is compiling what it imports.
enableCompileCache();
const [{ processIo }, { runCli }] = await Promise.all([import('./io.ts'), import('./program.ts')]);

// `dibs workflow list | head` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), processIo());
