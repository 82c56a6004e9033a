/**
 * `npm run demo`: a private Redis, one coordinator and three agents that differ in what they can do, as real processes;
 * two workflows at once on real files; results in `demo-output/`; nothing left running, however it ends.
 *
 * `demo/run.ts` is the part a consumer would write.
 */
import { CommanderError } from 'commander';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InterruptedError, print, processIo, say } from '../cli/io.ts';
import type { Io } from '../cli/io.ts';
import { Stack } from '../cli/dev/stack.ts';
import type { AgentPlan } from '../cli/dev/stack.ts';
import { exitCodeFor } from '../runtime/exit-codes.ts';
import { createClient } from '../sdk/client/index.ts';
import { checkFiles, parseOptions } from './demo/options.ts';
import type { DemoOptions } from './demo/options.ts';
import { runDemo } from './demo/run.ts';
import type { DemoResult } from './demo/run.ts';
import { prepareSamples } from './demo/samples.ts';
import { summaryJson, summaryText } from './demo/summary.ts';

const AGENTS: readonly AgentPlan[] = [
  { name: 'gpu-like', types: 'image.upscale,image.resize', labels: ['accelerator=pretended'] },
  { name: 'cpu-1', types: 'image.montage,image.upscale' },
  { name: 'cpu-2', types: 'text.*' },
];
/** Log lines shown when something goes wrong. */
const KEPT_LINES = 30;

const io = processIo();
try {
  process.exitCode = await demo(io, parseOptions(process.argv.slice(2)));
} catch (error) {
  process.exitCode = explain(error);
}

async function demo(io: Io, options: DemoOptions): Promise<number> {
  const startedAt = performance.now();
  await checkFiles(options);
  const leaving = new AbortController();
  const signal = AbortSignal.any([io.interrupted, leaving.signal]);
  process.once('SIGTERM', () => leaving.abort(new InterruptedError()));

  const log: string[] = [];
  const dataDir = await mkdtemp(join(tmpdir(), 'dibs-demo-'));
  const stack = new Stack({
    dataDir,
    listen: '127.0.0.1:0',
    agents: AGENTS,
    logLevel: options.verbose === true ? 'info' : 'warn',
    env: await ownSettings(dataDir),
    onLog: (source, line) => {
      log.push(`${source.padEnd(11)} ${line}`);
      if (log.length > KEPT_LINES) log.shift();
      if (options.verbose === true) say(io, `${source.padEnd(11)} ${line}`);
    },
    onTrouble: (message, fatal) => {
      log.push(message);
      if (fatal) leaving.abort(new Error(message));
    },
  });
  let starting: Promise<void> | undefined;
  try {
    say(
      io,
      `Starting a Redis, a coordinator and ${AGENTS.length} agents: ${AGENTS.map(({ name, types }) => `${name} (${types})`).join(', ')}`,
    );
    starting = stack.start(signal);
    starting.catch(() => undefined);
    const samples = await prepareSamples(options);
    await starting;
    const client = createClient({ address: stack.address, token: '' });
    let result: DemoResult;
    try {
      await stack.agentsConnected(client, signal);
      result = await runDemo(client, io, samples, options, signal);
    } finally {
      client.close();
    }
    await stack.stop();
    const totalMs = performance.now() - startedAt;
    for (const line of summaryText(result, totalMs, io.cwd))
      (options.output === 'json' ? say : print)(io, line);
    if (options.output === 'json') print(io, summaryJson(result, totalMs));
    return result.textEqual ? 0 : 1;
  } catch (error) {
    if (options.verbose !== true && !signal.aborted) for (const line of log) say(io, line);
    throw error;
  } finally {
    leaving.abort();
    await starting?.catch(() => undefined);
    await stack.kill();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** The demo shows Dibs as it comes: settings the user has made for other processes do not reach it. */
async function ownSettings(dataDir: string): Promise<Record<string, string | undefined>> {
  const config = join(dataDir, 'empty.yaml');
  await writeFile(config, '');
  const others = Object.keys(process.env).filter(
    (name) => name.startsWith('DIBS_') && name !== 'DIBS_TEST_FILE',
  );
  return { ...Object.fromEntries(others.map((name) => [name, undefined])), DIBS_CONFIG: config };
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof InterruptedError) {
    say(io, 'demo: interrupted; everything it started is stopped.');
    return error.exitCode;
  }
  say(io, `demo: ${error instanceof Error ? error.message : String(error)}`);
  return exitCodeFor(error);
}
