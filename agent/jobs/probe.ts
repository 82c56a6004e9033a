/**
 * Finds out what executor modules offer, without importing them into the agent.
 *
 * Invariants:
 * 1. Every module gets exactly one report, in the order given, whatever the others do.
 * 2. One process looks at them all; when it ends early or takes longer than MODULE_MS over one, that module is to
 *    blame and a new process goes on with the rest.
 */
import type { Readable } from 'node:stream';
import { childEnvironment } from './environment.ts';
import { spawnChild } from './executor-process.ts';
import type { HostLog } from './log.ts';
import { LastLines, onLines } from './output-lines.ts';
import type { ProbeReport } from './probe-child.ts';
import { signalGroup } from './process-group.ts';

const MODULE_MS = 60_000;

export async function probeModules(
  modules: readonly string[],
  env: readonly string[],
  log: HostLog,
): Promise<ProbeReport[]> {
  const reports: ProbeReport[] = [];
  while (reports.length < modules.length)
    reports.push(...(await probeSome(modules.slice(reports.length), env, log)));
  return reports;
}

/** Reports of the first modules, at least one. */
async function probeSome(
  modules: readonly string[],
  env: readonly string[],
  log: HostLog,
): Promise<ProbeReport[]> {
  const reports: ProbeReport[] = [];
  const child = spawnChild('probe-child', childEnvironment(process.env, env));
  const pid = child.pid ?? 0;
  const lines = new LastLines();
  let late = false;
  let timer: NodeJS.Timeout | undefined;
  const allowNext = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      late = true;
      signalGroup(pid, 'SIGKILL');
    }, MODULE_MS);
  };
  onLines(child.stdout as Readable, (line) => log.info({ childPid: pid, stream: 'stdout' }, line));
  onLines(child.stderr as Readable, (line) => lines.add(line));
  child.stdio[4]?.on('error', () => {});
  child.on('message', (report) => {
    reports.push(report as ProbeReport);
    allowNext();
  });
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => resolve(error.message));
  child.once('close', (code, signal) =>
    resolve(`it ended its process (${signal ?? `code ${code}`}): ${lines.toString()}`),
  );
  child.once('exit', () => signalGroup(pid, 'SIGKILL'));
  allowNext();
  child.send([...modules], () => {});
  const end = await ended;
  clearTimeout(timer);
  const blamed = modules[reports.length];
  if (blamed !== undefined)
    reports.push({ module: blamed, problem: late ? `loading it took longer than ${MODULE_MS} ms` : end });
  return reports;
}
