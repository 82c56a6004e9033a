/**
 * A child process that is started again when it crashes.
 *
 * Invariants:
 * 1. It leads a session of its own, so Ctrl-C in the terminal reaches the parent only, which stops children in order.
 * 2. It never outlives the parent (`lifeline.ts`).
 * 3. After `stop` or `kill` it is never started again; both resolve when it is gone.
 * 4. An end that a restart cannot mend (bad configuration, refused credential, too many quick ends) is reported once.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ExitCode } from '../../runtime/exit-codes.ts';

export interface SupervisedOptions {
  /** For people: `agent-1`. */
  readonly name: string;
  /** Arguments of node: the program's file and its own. Asked again for each start. */
  readonly args: () => readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onLine: (name: string, line: string, stream: 'stdout' | 'stderr') => void;
  /** It will not be started again. */
  readonly onGivenUp: (name: string, why: string) => void;
  /** It ended and will be started again after a while. */
  readonly onRestart?: (name: string, why: string, waitMs: number) => void;
}

/** An end within this time after the start is a quick one. */
const QUICK_MS = 10_000;
const MAX_QUICK_ENDS = 5;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 10_000;
const HOPELESS: readonly (number | null)[] = [
  ExitCode.USAGE,
  ExitCode.CREDENTIAL_REFUSED,
  ExitCode.BAD_CONFIG,
];
const LIFELINE = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './lifeline.ts' : './lifeline.js', import.meta.url),
);

export class Supervised {
  readonly name: string;
  readonly #o: SupervisedOptions;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #quickEnds = 0;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: SupervisedOptions) {
    this.name = options.name;
    this.#o = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#stopping) return;
    const startedAt = performance.now();
    const child = spawn(process.execPath, ['--import', LIFELINE, ...this.#o.args()], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...this.#o.env },
    });
    this.#child = child;
    const ended = Promise.withResolvers<void>();
    this.#gone = ended.promise;
    child.stdin.on('error', () => undefined);
    this.#forward(child.stdout, 'stdout');
    this.#forward(child.stderr, 'stderr');
    child.once('error', (error) => {
      this.#child = undefined;
      ended.resolve();
      this.#ended(null, error.message, true);
    });
    child.once('close', (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      ended.resolve();
      this.#ended(
        code,
        signal === null ? `exit code ${code}` : signal,
        performance.now() - startedAt < QUICK_MS,
      );
    });
  }

  /** SIGTERM: let it finish. Resolves when it is gone. */
  stop(): Promise<void> {
    this.#halt();
    this.#child?.kill('SIGTERM');
    return this.#gone;
  }

  /** The same, with SIGKILL for it and everything in its session after the grace time. */
  async kill(graceMs: number): Promise<void> {
    this.#halt();
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(child.pid), graceMs);
    await this.#gone;
    clearTimeout(timer);
  }

  #halt(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
  }

  #ended(code: number | null, why: string, quick: boolean): void {
    if (this.#stopping) return;
    this.#quickEnds = quick ? this.#quickEnds + 1 : 0;
    if (HOPELESS.includes(code) || this.#quickEnds >= MAX_QUICK_ENDS) {
      this.#stopping = true;
      this.#o.onGivenUp(this.name, why);
      return;
    }
    const waitMs = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#quickEnds);
    this.#o.onRestart?.(this.name, why, waitMs);
    this.#restart = setTimeout(() => this.start(), waitMs);
  }

  #forward(stream: Readable, kind: 'stdout' | 'stderr'): void {
    createInterface({ input: stream }).on('line', (line) => this.#o.onLine(this.name, line, kind));
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
