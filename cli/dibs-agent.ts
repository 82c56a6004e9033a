#!/usr/bin/env node
/** The `dibs-agent` command; `agent-program.ts` is what it does. */
import { enableCompileCache } from 'node:module';

// The program is loaded after this: most of a start is compiling what it imports.
enableCompileCache();
const { runAgentProgram } = await import('./agent-program.ts');
await runAgentProgram();
