/**
 * A Dibs process run from its source: its JSON log is kept and can be waited for; it ends when this one does.
 *
 * 1. Every wait has a deadline and fails at once when the process has ended; the error shows the last lines it said.
 * 2. It stands in a session of its own, so that Ctrl-C reaches only who started it, who then ends it by its pid.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isAlive } from '../../support/processes.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '../../..');
const LIFELINE = join(ROOT, 'cli/dev/lifeline.ts');
const SHOWN_LINES = 20;

export interface LogLine {
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export class LoggedProcess {
  readonly pid: number;
  readonly log: LogLine[] = [];
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #last: string[] = [];
  readonly #logFile: string | undefined;
  #closed = false;

  /** `entry` is a path from the root of the repository; `logFile` gets all it says. */
  constructor(name: string, entry: string, args: readonly string[], logFile?: string) {
    this.#logFile = logFile;
    this.#name = name;
    this.#child = spawn(process.execPath, ['--import', LIFELINE, join(ROOT, entry), ...args], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = once(this.#child, 'close').finally(() => (this.#closed = true));
    this.pid = this.#child.pid ?? 0;
    if (this.pid === 0) throw new Error(`${name} could not be started.`);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#take(line));
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The first line, past or to come, that is accepted. */
  async line(what: string, accept: (line: LogLine) => boolean, timeoutMs = 60_000): Promise<LogLine> {
    let found: LogLine | undefined;
    await until(
      `${this.#name} to say: ${what}`,
      () => (found = this.log.find(accept)) !== undefined || this.#closed,
      { timeoutMs, everyMs: 20 },
    );
    if (found !== undefined) return found;
    throw new Error(`${this.#name} ended before it said: ${what}\n${this.#last.join('\n')}`);
  }

  said(msg: string, timeoutMs?: number): Promise<LogLine> {
    return this.line(msg, (line) => line.msg === msg, timeoutMs);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Its exit code; null when a signal ended it. */
  async exit(timeoutMs: number): Promise<number | null> {
    await until(`${this.#name} to end`, () => !this.running, { timeoutMs, everyMs: 20 });
    return this.#child.exitCode;
  }

  /** kill -9, frozen or not; resolves when it is gone and all it said is here. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
    await until(`${this.#name} to be gone`, () => !isAlive(this.pid));
  }

  #take(line: string): void {
    if (this.#logFile !== undefined) appendFileSync(this.#logFile, `${line}\n`);
    this.#last.push(line);
    if (this.#last.length > SHOWN_LINES) this.#last.shift();
    if (!line.startsWith('{')) return;
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      // Cut off by its end.
    }
  }
}
