/**
 * Finds the processes that a test file has started and that still live: its descendants, and whoever carries its mark
 * in the environment (children that were detached, or whose parent is gone).
 *
 * Linux reads /proc; elsewhere only descendants are found, by ps.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Name of the mark. Children inherit it unless their environment is an allow-list. */
export const MARK = 'DIBS_TEST_FILE';

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !isZombie(pid);
}

/** Living processes that belong to `owner` (a pid) or carry `mark`; never `owner` itself. */
export function startedBy(owner: number, mark: string): FoundProcess[] {
  const all = listProcesses();
  const ours = new Set<number>([owner]);
  for (const { pid } of all) if (carries(pid, mark)) ours.add(pid);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of all) {
      if (ours.has(parent) && !ours.has(pid)) {
        ours.add(pid);
        grown = true;
      }
    }
  }
  // The listing itself may have started a ps.
  return all.filter(({ pid, command }) => pid !== owner && ours.has(pid) && !command.startsWith('ps '));
}

function listProcesses(): FoundProcess[] {
  if (process.platform !== 'linux') return listByPs();
  const found: FoundProcess[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = read(`/proc/${pid}/stat`);
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (parent === undefined || state === 'Z') continue;
    found.push({
      pid,
      parent: Number(parent),
      command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
    });
  }
  return found;
}

function listByPs(): FoundProcess[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match === null || match[3]?.startsWith('Z') === true) return [];
    return [{ pid: Number(match[1]), parent: Number(match[2]), command: match[4] ?? '' }];
  });
}

function carries(pid: number, mark: string): boolean {
  if (process.platform !== 'linux' || pid === process.pid) return false;
  return read(`/proc/${pid}/environ`).split('\0').includes(`${MARK}=${mark}`);
}

function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
