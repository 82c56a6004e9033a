/**
 * Fails a test file that ends while a process it started still lives, and kills that process.
 *
 * Importing this file is enough; redis.ts and proc.ts do. Its hook is registered first, so it runs after every other
 * `afterAll` of the file. Processes on their way out get a moment.
 */
import { randomUUID } from 'node:crypto';
import { afterAll } from 'vitest';
import { MARK, startedBy } from './processes.ts';
import type { FoundProcess } from './processes.ts';
import { until } from './until.ts';

const GRACE_MS = 3_000;

const before = new Set(startedBy(process.pid, '').map(({ pid }) => pid));
const mark = randomUUID();
process.env[MARK] = mark;

afterAll(async () => {
  const leaked = await settle();
  for (const { pid } of leaked) killNow(pid);
  if (leaked.length > 0) {
    const list = leaked.map(({ pid, command }) => `  ${pid}  ${command}`).join('\n');
    throw new Error(`Processes this test file started still ran at its end (now killed):\n${list}`);
  }
});

/** What still lives after the grace time. */
export async function settle(): Promise<FoundProcess[]> {
  const living = (): FoundProcess[] => startedBy(process.pid, mark).filter(({ pid }) => !before.has(pid));
  await until('children to end', () => living().length === 0, { timeoutMs: GRACE_MS }).catch(() => undefined);
  return living();
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
