/**
 * A process of the crash rounds: started with a preload, armed over its message channel, its log read line by line.
 *
 * Whatever still runs when `endAll` is called, or when this process ends, gets SIGKILL.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** Compiled code of the programs: it halves a start. */
const CACHE = join(ROOT, 'node_modules/.cache/dibs-node');
/** Lines of a log kept for a failure's message. */
const KEPT_LINES = 40;
/** A start takes a second; on a machine that does much else, many. */
const START_MS = 60_000;

/** By the folder of their fleet. */
const running = new Map<ChildProcess, string>();
process.on('exit', () => {
  for (const child of running.keys()) child.kill('SIGKILL');
});

export interface LogLine {
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export interface CrashProcessPlan {
  /** Of the fleet it belongs to. */
  readonly folder: string;
  readonly preload: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export class CrashProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #logged: LogLine[] = [];
  readonly #ended: Promise<void>;
  #over = false;

  constructor({ folder, preload, args, env }: CrashProcessPlan) {
    const preloadPath = join(import.meta.dirname, preload);
    this.#child = spawn(process.execPath, ['--import', preloadPath, ...args], {
      cwd: ROOT,
      env: { ...process.env, NODE_COMPILE_CACHE: CACHE, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    running.set(this.#child, folder);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#take(line));
    }
    // A message to a process that has just died.
    this.#child.on('error', () => {});
    this.#ended = once(this.#child, 'exit').then(() => {
      this.#over = true;
      running.delete(this.#child);
    });
  }

  get over(): boolean {
    return this.#over;
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Null while it runs and after a signal. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Last lines it said. */
  get tail(): string {
    return this.#lines.join('\n');
  }

  /** Lines of its log that are accepted. */
  logged(accept: (line: LogLine) => boolean): LogLine[] {
    return this.#logged.filter(accept);
  }

  /** The first line that says so, or undefined when it ended before. */
  async saying(message: string): Promise<LogLine | undefined> {
    const find = (): LogLine | undefined => this.#logged.find(({ msg }) => msg === message);
    const isSaid = (): boolean => find() !== undefined || this.#over;
    await until(`the process to say "${message}"`, isSaid, { timeoutMs: START_MS }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.tail}`);
    });
    return find();
  }

  /** Arms a crash point; '' = none. Resolves when it is armed or the process is over. */
  async arm(point: string): Promise<void> {
    if (this.#over) return;
    const armed = Promise.withResolvers<void>();
    const listen = (answer: { armed?: string }): void => {
      if (answer.armed === point) armed.resolve();
    };
    this.#child.on('message', listen);
    this.#child.send({ arm: point }, () => {});
    await Promise.race([armed.promise, this.#ended]);
    this.#child.off('message', listen);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #take(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    if (!line.startsWith('{')) return;
    try {
      this.#logged.push(JSON.parse(line) as LogLine);
    } catch {
      // Half a line of a process that was killed.
    }
  }
}

export async function endAll(folder: string): Promise<void> {
  await Promise.all(
    [...running].map(async ([child, owner]) => {
      if (owner !== folder) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await ended;
    }),
  );
}
