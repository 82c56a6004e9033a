/**
 * Process groups: the unit in which the host ends what an executor started.
 *
 * Every child leads a group of its own (it is started detached), and what it starts joins that group unless it
 * asks for a session of its own; what does leaves the host's reach.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** False when the group has no member left. */
export function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  // kill(-0) and kill(-1) reach far beyond a child: a process that never started has no group.
  if (leader <= 1) return false;
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/** Living members of a group besides its leader. */
export async function groupFollowers(leader: number): Promise<number[]> {
  return (await followersOf([leader])).get(leader) ?? [];
}

/** The same of many groups, in one look at the machine's processes. */
export async function followersOf(leaders: readonly number[]): Promise<ReadonlyMap<number, number[]>> {
  const found = new Map(leaders.map((leader): [number, number[]] => [leader, []]));
  if (leaders.length === 0) return found;
  for (const [pid, group] of process.platform === 'linux' ? await fromProc() : await fromPs())
    if (pid !== group) found.get(group)?.push(pid);
  return found;
}

/** Files of /proc that are open at a time. */
const READ_AT_ONCE = 32;

/** [pid, group] of all that live. */
async function fromProc(): Promise<[number, number][]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const living: [number, number][] = [];
  for (let from = 0; from < pids.length; from += READ_AT_ONCE) {
    const groups = await Promise.all(pids.slice(from, from + READ_AT_ONCE).map(groupOf));
    groups.forEach((group, index) => group > 0 && living.push([pids[from + index] as number, group]));
  }
  return living;
}

/** 0 = it has ended. */
async function groupOf(pid: number): Promise<number> {
  try {
    // "pid (name, which may hold anything) state ppid pgrp …"
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? 0 : Number(group);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
    throw error;
  }
}

async function fromPs(): Promise<[number, number][]> {
  const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=,pgid=,stat=']);
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, , state]) => state !== undefined && !state.startsWith('Z'))
    .map(([pid, group]) => [Number(pid), Number(group)]);
}

/** Ends what a job left running in its child's group: all but the leader and those that were there before. */
export async function killStrays(leader: number, before: ReadonlySet<number>): Promise<number> {
  const strays = (await groupFollowers(leader)).filter((pid) => !before.has(pid));
  for (const pid of strays) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended by itself
    }
  }
  return strays.length;
}

/** Processes with `text` as one of their arguments. Linux only: elsewhere none are found. */
export async function commandsNaming(text: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return pids.filter((_pid, index) => commands[index]?.split('\0').includes(text));
}
