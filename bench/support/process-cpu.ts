/**
 * CPU time of processes and of the whole machine, from /proc (Linux). Elsewhere everything reads as zero.
 *
 * Invariants: a process counts with its descendants; times are user + system, in milliseconds, in steps of 10.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** Length of a tick: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

export interface ProcessCpu {
  readonly totalMs: number;
  /** By thread. */
  readonly threads: ReadonlyMap<string, number>;
}

export interface MachineCpu {
  readonly busyMs: number;
  readonly allMs: number;
}

export function processCpu(pid: number): ProcessCpu {
  const threads = new Map<string, number>();
  let totalMs = 0;
  for (const member of [pid, ...descendants(pid)]) {
    totalMs += statMs(`/proc/${member}/stat`);
    for (const tid of list(`/proc/${member}/task`))
      threads.set(tid, statMs(`/proc/${member}/task/${tid}/stat`));
  }
  return { totalMs, threads };
}

/** Busy includes everybody else's work on this machine. */
export function machineCpu(): MachineCpu {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = read(
    '/proc/stat',
  )
    .split('\n', 1)
    .flatMap((line) => line.trim().split(/\s+/).slice(1).map(Number));
  const busy = user + nice + system + irq + soft + steal;
  return { busyMs: busy * TICK_MS, allMs: (busy + idle + wait) * TICK_MS };
}

function descendants(pid: number): string[] {
  return list(`/proc/${pid}/task`).flatMap((tid) => {
    const children = read(`/proc/${pid}/task/${tid}/children`).split(' ').filter(Boolean);
    return children.flatMap((child) => [child, ...descendants(Number(child))]);
  });
}

/** Fields 14 and 15, counted after the name, which may hold blanks and brackets. */
function statMs(path: string): number {
  const text = read(path);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
