/**
 * Entry point of an executor's process: loads ONE executor, then runs the jobs it is sent, one at a time.
 *
 * Siblings: `executor-process.ts` starts and ends this process, `child-protocol.ts` is what they say,
 * `drive.ts` runs a job.
 *
 * Invariants:
 * 1. stdout and stderr belong to the executor; the host turns them into log lines. Only IPC carries meaning.
 * 2. SIGTERM is left at its default: it ends this process even in a busy loop.
 */
import { pathToFileURL } from 'node:url';
import { findExecutors } from '../../sdk/executor/define.ts';
import type { ChildRequest, FromChild, RunOrder, ToChild } from './child-protocol.ts';
import { dieWithParent } from './child-life.ts';
import type { ArtifactReference } from './contract.ts';
import { drive, load, type LoadedExecutor } from './drive.ts';
import { JobContext, type ContextPort } from './job-context.ts';
import { executorLog, plainFields } from './log.ts';
import { modelPaths } from './model-paths.ts';
import { failedByThrow } from './verdicts.ts';
import { makeWorkdir } from './workdirs.ts';

dieWithParent();

const HEALTHCHECK_TIMEOUT_MS = 10_000;
/** Kept apart, so that an executor that replaces process.send breaks only itself. */
const rawSend = process.send?.bind(process);
if (rawSend === undefined) throw new Error('this file is started by the job host');

const log = executorLog((level, message, fields) =>
  send({ kind: 'log', level, message, fields: plainFields(fields) }),
);
const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
let requests = 0;
let loaded: LoadedExecutor | undefined;
let maxOutputBytes = 0;
let current: JobContext | undefined;

process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'init':
      maxOutputBytes = message.maxOutputBytes;
      return void prepare(message.module, message.type);
    case 'run':
      return void runOrder(message.order);
    case 'abort':
      return current?.abort(message.reason);
    case 'reply': {
      const waiter = waiting.get(message.id);
      waiting.delete(message.id);
      return message.ok ? waiter?.resolve(message.value) : waiter?.reject(new Error(message.message));
    }
    case 'stop':
      return void finish();
  }
});

async function prepare(module: string, type: string): Promise<void> {
  try {
    const exports = (await import(/* @vite-ignore */ pathToFileURL(module).href)) as Record<string, unknown>;
    const executor = findExecutors(exports).find((one) => one.type === type);
    if (executor === undefined) throw new Error(`${module} exports no executor for "${type}"`);
    loaded = load(executor);
    const lifecycle = { log, models: modelPaths(executor.models) };
    await executor.setup?.(lifecycle);
    await executor.warmup?.(lifecycle);
    send({ kind: 'ready' });
  } catch (error) {
    send({ kind: 'setup_failed', outcome: failedByThrow(error, 'RESOURCE_ERROR') });
  }
}

async function runOrder(order: RunOrder): Promise<void> {
  if (loaded === undefined) throw new Error('run before ready');
  if (order.checkHealth) {
    const complaint = await healthComplaint(loaded);
    if (complaint !== '') return send({ kind: 'unhealthy', message: complaint });
  }
  let usedWorkdir = false;
  const ownPort = {
    ...port,
    workdir: () => {
      usedWorkdir = true;
      return makeWorkdir(order.workdir);
    },
  };
  const context = new JobContext(order, ownPort, modelPaths(loaded.executor.models));
  current = context;
  send({ kind: 'started' });
  const startedAt = performance.now();
  const outcome = await drive(loaded, order.inputJson, context, maxOutputBytes);
  const runMs = performance.now() - startedAt;
  context.close();
  current = undefined;
  send({ kind: 'done', outcome, runMs, usedWorkdir });
}

async function healthComplaint({ executor }: LoadedExecutor): Promise<string> {
  if (executor.healthcheck === null) return '';
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(resolve, HEALTHCHECK_TIMEOUT_MS, 'late');
  try {
    const answer = await Promise.race([
      executor.healthcheck({ log, models: modelPaths(executor.models) }),
      late,
    ]);
    if (answer === 'late') return `healthcheck took longer than ${HEALTHCHECK_TIMEOUT_MS} ms`;
    return answer === false ? 'healthcheck returned false' : '';
  } catch (error) {
    return `healthcheck failed: ${failedByThrow(error).message}`;
  } finally {
    clearTimeout(timer);
  }
}

async function finish(): Promise<void> {
  try {
    await loaded?.executor.teardown?.({ log, models: modelPaths(loaded.executor.models) });
  } catch (error) {
    log.warn('teardown failed', { err: error });
  }
  process.exit(0);
}

const port: Omit<ContextPort, 'workdir'> = {
  progress: (fraction, message) => send({ kind: 'progress', fraction, message }),
  chunk: (index, data) => send({ kind: 'chunk', index, data }),
  log: (level, message, fields) => send({ kind: 'log', level, message, fields: plainFields(fields) }),
  fetch: async (reference) => (await ask({ op: 'fetch', reference })) as string,
  store: async (path, about) => (await ask({ op: 'store', path, about: { ...about } })) as ArtifactReference,
  emitJobs: async (batch, inputsJson) => void (await ask({ op: 'emitJobs', batch, inputsJson })),
};

function ask(request: ChildRequest): Promise<unknown> {
  const id = ++requests;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  waiting.set(id, { resolve, reject });
  send({ kind: 'request', id, request });
  return promise;
}

function send(message: FromChild): void {
  rawSend?.(message);
}
