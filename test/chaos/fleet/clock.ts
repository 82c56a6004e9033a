/**
 * Loaded before a member's program (`node --import clock.ts …`): its wall clock is off by what a file says.
 *
 * Invariants: the file is read at the start and at every SIGUSR2; timers and `performance` stay as they are; threads and
 * children keep the true time. The file beside it, `.pid`, names the process that listens to the signal: to any other the
 * signal would be the end.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env['CHAOS_CLOCK_FILE'];
if (file !== undefined && isMainThread) jumpWith(file);

function jumpWith(file: string): void {
  const TrueDate = Date;
  let offsetMs = readOffset(file);
  const now = (): number => TrueDate.now() + offsetMs;
  function JumpingDate(...args: unknown[]): Date | string {
    if (new.target === undefined) return new TrueDate(now()).toString();
    const time = args.length === 0 ? [now()] : args;
    const target = new.target as unknown;
    return Reflect.construct(TrueDate, time, target === JumpingDate ? TrueDate : new.target) as Date;
  }
  Object.setPrototypeOf(JumpingDate, TrueDate);
  JumpingDate.prototype = TrueDate.prototype;
  JumpingDate.now = now;
  globalThis.Date = JumpingDate as unknown as DateConstructor;
  process.on('SIGUSR2', () => (offsetMs = readOffset(file)));
  writeFileSync(`${file}.pid`, String(process.pid));
}

function readOffset(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    return 0;
  }
}
