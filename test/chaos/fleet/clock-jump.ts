/** Sets the wall clock of a member that runs with clock.ts; the offset outlives restarts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { Member } from './member.ts';

/** What node needs to be told for it. */
export const CLOCK_ARGS = ['--import', pathToFileURL(join(import.meta.dirname, 'clock.ts')).href];

export function clockEnvironment(logFile: string): { readonly CHAOS_CLOCK_FILE: string } {
  return { CHAOS_CLOCK_FILE: clockFile(logFile) };
}

/** A member that is down, or has no such clock yet, has the offset when it starts. */
export function setClock(member: Member, offsetMs: number): void {
  const file = clockFile(member.logFile);
  writeFileSync(file, String(offsetMs));
  let listener = '';
  try {
    listener = readFileSync(`${file}.pid`, 'utf8');
  } catch {
    // It has not begun, or runs without.
  }
  if (member.pid !== undefined && listener === String(member.pid)) member.signal('SIGUSR2');
}

function clockFile(logFile: string): string {
  return `${logFile}.clock`;
}
