/**
 * One agent process per state directory.
 *
 * 1. The lock is a file made with O_EXCL that names its owner; it is stale when its owner does not answer on the control
 *    socket: process ids are no proof, in containers they repeat. An owner that still lives by id *and* time of start
 *    (Linux) is only frozen, and keeps it: when it thaws there must not be two of one agent.
 * 2. A stale lock is taken away only by who holds the takeover folder beside it, and only while it is still the one that was
 *    found stale; making the new one is O_EXCL again. So of any number of takers one succeeds.
 * 3. An owner has FRESH_MS to begin to answer; until then its living process is proof enough.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FRESH_MS = 5_000;
/** Place of `starttime` in /proc/<pid>/stat, counted from the field after the state. */
const START_TICK = 18;

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
  const mine = `${process.pid} ${randomUUID()} ${await startOf(process.pid)}\n`;
  if (!(await create(path, mine))) {
    const found = await readFile(path, 'utf8').catch(() => '');
    const [owner = '', , startedAt = ''] = found.trim().split(' ');
    const lives =
      (await isAlive()) || (await isFresh(path, Number(owner))) || (await isSame(owner, startedAt));
    if (lives) throw new LockedError(stateDir, owner);
    if (!(await replace(path, found, mine))) throw new LockedError(stateDir, owner);
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

/** The very process that wrote the lock still lives, frozen or not (1). */
async function isSame(owner: string, startedAt: string): Promise<boolean> {
  if (startedAt === '' || Number(owner) === process.pid) return false;
  return (await startOf(Number(owner))) === startedAt;
}

/** Names one process among all that ever had its id: the boot and the tick it started at; '' where that cannot be told. */
async function startOf(pid: number): Promise<string> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'latin1'),
      readFile(`/proc/${pid}/stat`, 'latin1'),
    ]);
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? '' : `${boot.trim()}:${fields[START_TICK]}`;
  } catch {
    return '';
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

/** Puts a new lock in the place of a stale one; false when somebody else was first (2). */
async function replace(path: string, stale: string, mine: string): Promise<boolean> {
  const takeover = `${path}.takeover`;
  if (!(await enter(takeover))) return false;
  try {
    const now = await readFile(path, 'utf8').catch(() => '');
    if (now === stale) await rm(path, { force: true });
    return await create(path, mine);
  } finally {
    await rmdir(takeover).catch(() => undefined);
  }
}

/** One at a time; a folder left by a taker that was killed counts for FRESH_MS. */
async function enter(folder: string): Promise<boolean> {
  const info = await stat(folder).catch(() => undefined);
  if (info !== undefined && Date.now() - info.mtimeMs > FRESH_MS) await rmdir(folder).catch(() => undefined);
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
