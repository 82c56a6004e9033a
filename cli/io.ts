/**
 * Everything a command touches of its process, so that a test can run a command without one.
 *
 * Invariants: data goes to `stdout`, everything else to `stderr`; colour and redrawing only where a person looks.
 */
import type { Readable, Writable } from 'node:stream';

export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard error is a terminal: progress may be redrawn there. */
  readonly live: boolean;
  /** Columns of that terminal. */
  readonly columns: () => number;
  readonly color: { readonly stdout: boolean; readonly stderr: boolean };
  /** Aborts on the first Ctrl-C. */
  readonly interrupted: AbortSignal;
}

export function processIo(): Io {
  const { env, stdin, stdout, stderr } = process;
  const plain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const interrupt = new AbortController();
  return {
    stdin,
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    live: stderr.isTTY && env['TERM'] !== 'dumb',
    columns: () => stderr.columns ?? 80,
    color: { stdout: stdout.isTTY && !plain, stderr: stderr.isTTY && !plain },
    get interrupted() {
      catchInterrupts(interrupt);
      return interrupt.signal;
    },
  };
}

let caught = false;

/** Only commands that ask for the signal take over Ctrl-C; a second one ends the process at once. */
function catchInterrupts(interrupt: AbortController): void {
  if (caught) return;
  caught = true;
  process.on('SIGINT', () => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new InterruptedError());
  });
}

/** Ctrl-C while a command ran. */
export class InterruptedError extends Error {
  readonly exitCode = 130;

  constructor() {
    super('Interrupted.');
    this.name = 'InterruptedError';
  }
}

/** A line of data. */
export function print(io: Io, line: string): void {
  io.stdout.write(`${line}\n`);
}

/** A line for people. */
export function say(io: Io, line: string): void {
  io.stderr.write(`${line}\n`);
}
