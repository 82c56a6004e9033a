/**
 * The folders jobs work in: `<workRoot>/run-<pid>-<random>/<n>-<job>`.
 *
 * Invariants:
 * 1. A path is decided by the host and made by whoever first needs it: most jobs need none.
 * 2. A host removes its own run folder when it stops, and at start those of hosts that are dead, with the children
 *    that still name it: one that was stopped (SIGSTOP) when its agent died did not see it die.
 */
import { mkdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { commandsNaming, signalGroup } from './process-group.ts';

let made = 0;

/** Makes this host's run folder and removes what dead hosts left. */
export async function openJobsRoot(workRoot: string): Promise<string> {
  await mkdir(workRoot, { recursive: true });
  for (const name of await readdir(workRoot)) {
    const pid = Number(/^run-(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid === 0 || isAlive(pid)) continue;
    const folder = join(workRoot, name);
    for (const leader of await commandsNaming(folder)) signalGroup(leader, 'SIGKILL');
    await removeFolder(folder);
  }
  return mkdtemp(join(workRoot, `run-${process.pid}-`));
}

/** A path no other job of this process has. */
export function workdirPath(jobsRoot: string, jobId: string): string {
  return join(jobsRoot, `${++made}-${jobId.replace(/[^\w-]/g, '_').slice(0, 64)}`);
}

export function makeWorkdir(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

export async function removeFolder(path: string): Promise<void> {
  // Retries: a process that is just being killed may still create files.
  await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
