/**
 * Lets one Redis at a time use a data folder: two would write the same append-only file and destroy it.
 *
 * The lock is a file with the pids of its holders. Invariants: taken with O_EXCL, so two takers cannot both win; held as
 * long as any of its processes lives (the server may outlive its guard by a kill -9); a holder that is gone, or a pid that
 * now belongs to some other program, does not hold it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

export interface Holder {
  readonly pid: number;
  /** A word of its command line, to tell it from a later process with the same pid. */
  readonly program: string;
}

/** Takes the lock or throws an Error that names the holder. */
export function takeFolder(file: string, self: Holder): void {
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, JSON.stringify([self]), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 0) throw error;
    }
    const holder = readHolders(file).find((candidate) => candidate.pid !== self.pid && isRunning(candidate));
    if (holder !== undefined) {
      throw new Error(
        `Another Redis (pid ${holder.pid}) uses this data folder. Stop it, or choose another folder. Lock: ${file}`,
      );
    }
    rmSync(file, { force: true });
  }
}

/** The holder's further processes. */
export function shareFolder(file: string, holders: readonly Holder[]): void {
  writeFileSync(file, JSON.stringify(holders));
}

export function leaveFolder(file: string): void {
  rmSync(file, { force: true });
}

function readHolders(file: string): Holder[] {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(parsed) ? (parsed as Holder[]) : [];
  } catch {
    return [];
  }
}

function isRunning({ pid, program }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const command = commandLine(pid);
  return command === undefined || command.includes(program);
}

function commandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // No /proc (macOS): ask ps.
  }
  try {
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' });
  } catch {
    return undefined;
  }
}
