/**
 * Entry point of the process that looks into executor modules before anything is run: a module that throws, hangs
 * or crashes on import must not take the agent with it.
 *
 * Sibling: `probe.ts` starts it and picks up after a crash.
 */
import { pathToFileURL } from 'node:url';
import { findExecutors, type Executor } from '../../sdk/executor/define.ts';
import { schemaJson } from '../../sdk/executor/schema.ts';
import { dieWithParent } from './child-life.ts';
import type { ExecutorDescription } from './contract.ts';

/** An executor as a module declares it; `concurrency` is settled by the host. */
export interface ProbedExecutor extends Omit<ExecutorDescription, 'concurrency'> {
  readonly concurrency: number | 'auto';
  readonly env: readonly string[];
  readonly module: string;
}

export type ProbeReport =
  | { readonly module: string; readonly executors: readonly ProbedExecutor[] }
  | { readonly module: string; readonly problem: string };

dieWithParent();

process.on('message', (modules: readonly string[]) => void lookAtAll(modules));

async function lookAtAll(modules: readonly string[]): Promise<void> {
  for (const module of modules) process.send?.(await look(module));
  process.exit(0);
}

async function look(module: string): Promise<ProbeReport> {
  try {
    const exports = (await import(/* @vite-ignore */ pathToFileURL(module).href)) as Record<string, unknown>;
    const executors = findExecutors(exports).map((executor) => describe(executor, module));
    if (executors.length === 0)
      return { module, problem: 'exports no executor; wrap it in defineExecutor(…)' };
    return { module, executors };
  } catch (error) {
    return { module, problem: error instanceof Error ? error.message : String(error) };
  }
}

function describe(executor: Executor, module: string): ProbedExecutor {
  const {
    type,
    version,
    description,
    concurrency,
    cost,
    deterministic,
    isolation,
    gpus,
    vramBytes,
    memoryBytes,
    models,
    env,
  } = executor;
  return {
    ...{
      module,
      type,
      version,
      description,
      concurrency,
      cost,
      deterministic,
      isolation,
      gpus,
      vramBytes,
      memoryBytes,
      models,
      env,
    },
    inputSchemaJson: schemaJson(executor.input, 'input'),
    outputSchemaJson: schemaJson(executor.output, 'output'),
  };
}
