#!/usr/bin/env node
/** The `dibs-agent` command; `agent-program.ts` is what it does. */
import { enableCompileCache, getCompileCacheDir } from 'node:module';

// The program is loaded after this: most of a start is compiling what it imports.
enableCompileCache();
// For the processes of executors as well.
const folder = getCompileCacheDir();
if (folder !== undefined) process.env['NODE_COMPILE_CACHE'] = folder;
const { runAgentProgram } = await import('./agent-program.ts');
await runAgentProgram();
