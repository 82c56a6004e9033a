/**
 * Kills what a harness leaves behind, however the harness ends, kill -9 included, and frozen processes too.
 *
 * Run as a program, it reads "+pid" and "-pid" lines; at the end of its input it sends SIGKILL to every pid that was added
 * and not taken out. Imported, it starts that program when the first pid is watched, one for the whole process.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

let reaper: ChildProcess | undefined;

export function watchPid(pid: number): void {
  reaper ??= startReaper();
  reaper.stdin?.write(`+${pid}\n`);
}

export function forgetPid(pid: number): void {
  reaper?.stdin?.write(`-${pid}\n`);
}

/** Ends the program when nothing needs watching any more; a later `watchPid` starts it again. */
export async function endReaper(): Promise<void> {
  const ended = reaper;
  reaper = undefined;
  if (ended === undefined) return;
  ended.ref();
  const exit = new Promise((resolve) => ended.once('exit', resolve));
  ended.stdin?.end();
  await exit;
}

function startReaper(): ChildProcess {
  const child = spawn(process.execPath, [import.meta.filename], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin?.on('error', () => undefined);
  child.unref();
  (child.stdin as Partial<{ unref: () => void }> | null)?.unref?.();
  return child;
}

async function reap(): Promise<void> {
  // Ctrl-C reaches every process of the terminal; this one leaves last.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const pids = new Set<number>();
  for await (const line of createInterface({ input: process.stdin })) {
    const pid = Number(line.slice(1));
    if (line.startsWith('+')) pids.add(pid);
    else pids.delete(pid);
  }
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
}

if (import.meta.main) await reap();
