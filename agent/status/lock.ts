/**
 * One agent process per state directory.
 *
 * 1. The lock is a file made with O_EXCL that names its owner; it is stale when its owner does not answer on the control
 *    socket: process ids are no proof, in containers they repeat.
 * 2. A stale lock is taken over by renaming it, so of two takers one fails.
 * 3. An owner has FRESH_MS to begin to answer; until then its living process is proof enough.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FRESH_MS = 5_000;

export class LockedError extends Error {
  constructor(stateDir: string, owner: string) {
    super(
      `an agent (process ${owner}) already runs with the state directory ${stateDir}; give this one its own --state-dir`,
    );
    this.name = 'LockedError';
  }
}

export interface Lock {
  release(): Promise<void>;
}

/** `isAlive` asks whether an agent answers for this directory (1). */
export async function takeLock(stateDir: string, isAlive: () => Promise<boolean>): Promise<Lock> {
  const path = join(stateDir, 'agent.lock');
  const mine = `${process.pid} ${randomUUID()}\n`;
  if (!(await create(path, mine))) {
    const found = await readFile(path, 'utf8').catch(() => '');
    const owner = found.split(' ')[0] ?? '';
    if ((await isAlive()) || (await isFresh(path, Number(owner)))) throw new LockedError(stateDir, owner);
    await setAside(path, found);
    if (!(await create(path, mine))) throw new LockedError(stateDir, owner);
  }
  return {
    release: async () => {
      if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true });
    },
  };
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Just made, by another process that still lives (3). */
async function isFresh(path: string, owner: number): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || Date.now() - info.mtimeMs > FRESH_MS || owner === process.pid || !(owner > 0))
    return false;
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes a stale lock; puts back a live one that took its place meanwhile (2). */
async function setAside(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8').catch(() => '')) === stale) await rm(aside, { force: true });
  else await rename(aside, path);
}
