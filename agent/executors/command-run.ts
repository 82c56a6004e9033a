/**
 * Runs one program to its end, without a shell, and leaves nothing of it running.
 *
 * The program stays in the process group of the executor's child, so the host's SIGKILL to that group reaches it
 * and all it started, whatever state this process is in.
 *
 * Invariants:
 * 1. When the returned promise settles, no process the program started in this group is alive.
 * 2. Memory is bounded: of stdout and stderr only the last bytes are kept.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ResourceError } from '../../sdk/executor/failures.ts';
import { groupFollowers, killStrays } from '../jobs/process-group.ts';

/** After SIGTERM; shorter than the host's abort grace, so that the child itself survives a cancel. */
const TERM_GRACE_MS = 1000;

export interface Program {
  readonly argv: readonly [string, ...string[]];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Bytes kept of each stream. */
  readonly keepBytes: number;
  readonly signal: AbortSignal;
}

export interface ProgramEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Tail;
  readonly stderr: Tail;
}

export interface Tail {
  readonly text: string;
  /** Something before the text was dropped. */
  readonly cut: boolean;
}

export async function runProgram({
  argv,
  folder,
  env,
  stdin,
  keepBytes,
  signal,
}: Program): Promise<ProgramEnd> {
  signal.throwIfAborted();
  const [file, ...args] = argv;
  const before = new Set(await groupFollowers(process.pid));
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout = keepTail(child.stdout, keepBytes);
  const stderr = keepTail(child.stderr, keepBytes);
  child.stdin.on('error', () => {}); // a program need not read its input
  child.stdin.end(stdin);

  const {
    promise: exited,
    resolve,
    reject,
  } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  child.once('error', (error) =>
    reject(new ResourceError(`cannot start ${file}: ${error.message}`, { cause: error })),
  );
  child.once('exit', (code, by) => resolve({ code, signal: by }));
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  child.once('close', () => close());
  let kills: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill('SIGTERM');
    kills = setTimeout(() => child.kill('SIGKILL'), TERM_GRACE_MS);
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop(); // while the group was looked at
  try {
    const end = await exited;
    // Whatever it left behind dies now, which also closes the pipes it may hold.
    await killStrays(process.pid, before);
    await Promise.race([closed, new Promise((late) => setTimeout(late, TERM_GRACE_MS).unref())]);
    signal.throwIfAborted();
    return { ...end, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(kills);
    signal.removeEventListener('abort', stop);
  }
}

function keepTail(stream: Readable, keepBytes: number): () => Tail {
  let kept: Buffer[] = [];
  let bytes = 0;
  let cut = false;
  stream.on('error', () => {});
  stream.on('data', (data: Buffer) => {
    kept.push(data);
    bytes += data.length;
    // Trimmed at twice the size, so that each byte is copied once at most.
    if (bytes > 2 * keepBytes) {
      kept = [Buffer.concat(kept).subarray(-keepBytes)];
      bytes = keepBytes;
      cut = true;
    }
  });
  return () => {
    const all = Buffer.concat(kept);
    return {
      text: all.subarray(Math.max(0, all.length - keepBytes)).toString('utf8'),
      cut: cut || all.length > keepBytes,
    };
  };
}
