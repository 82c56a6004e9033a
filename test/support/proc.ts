/**
 * Runs a Dibs process from its source for a test: waits for what it says, kills it as one wishes, and shows all it said
 * when something does not come.
 *
 * Invariants: standard error and output are collected whole; every wait has a deadline and fails at once when the
 * process ends first; whatever still runs when the test (or the hook) that started it is over gets SIGKILL.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import './leaks.ts';

export interface ProcOptions {
  readonly args?: readonly string[];
  /** Added to the environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const ROOT = join(import.meta.dirname, '../..');
const TIMEOUT_MS = 20_000;
const started = new Set<Proc>();

afterAll(async () => {
  await Promise.all([...started].map((proc) => proc.end()));
});

/** Runs `entry`, a path from the root of the repository (`cli/dibs.ts`). */
export function startProc(entry: string, options: ProcOptions = {}): Proc {
  return startCommand(process.execPath, { ...options, args: [join(ROOT, entry), ...(options.args ?? [])] });
}

/** Runs any program. */
export function startCommand(command: string, options: ProcOptions = {}): Proc {
  const proc = new Proc(
    spawn(command, options.args ?? [], {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
    `${command} ${(options.args ?? []).join(' ')}`,
  );
  started.add(proc);
  return proc;
}

export class Proc {
  readonly child: ChildProcess;
  readonly #name: string;
  readonly #lines: string[] = [];
  readonly #exit: Promise<Exit>;
  #exited: Exit | undefined;
  #partial = { stdout: '', stderr: '' };
  readonly #watchers = new Set<() => void>();

  constructor(child: ChildProcess, name: string) {
    this.child = child;
    this.#name = name;
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.setEncoding('utf8').on('data', (text: string) => this.#collect(stream, text));
    }
    child.stdin?.on('error', () => undefined);
    this.#exit = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        this.#exited = exit;
        resolve(exit);
        this.#wake();
      };
      child.once('error', (error) => {
        this.#lines.push(`(${error.message})`);
        settle({ code: null, signal: null });
      });
      child.once('close', (code, signal) => settle({ code, signal }));
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.#name} could not be started.\n${this.output}`);
    return this.child.pid;
  }

  /** Everything it said on both streams, line by line in the order of arrival. */
  get output(): string {
    return [...this.#lines, this.#partial.stdout, this.#partial.stderr]
      .filter((line) => line !== '')
      .join('\n');
  }

  /** First line, past or to come, that matches. */
  async line(pattern: RegExp, options: { readonly timeoutMs?: number } = {}): Promise<RegExpMatchArray> {
    return this.#first(
      `a line like ${pattern}`,
      (line) => line.match(pattern) ?? undefined,
      options.timeoutMs,
    );
  }

  /** First line that is a JSON object and accepted. */
  async json<T extends object>(
    accept: (value: T) => boolean = () => true,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const read = (line: string): T | undefined => {
      if (!line.startsWith('{')) return undefined;
      try {
        const value = JSON.parse(line) as T;
        return accept(value) ? value : undefined;
      } catch {
        return undefined;
      }
    };
    return this.#first('a JSON line', read, options.timeoutMs);
  }

  /** How it ended; fails when it has not by the deadline. */
  async exit(timeoutMs: number = TIMEOUT_MS): Promise<Exit> {
    const timer = new AbortController();
    const late = once(AbortSignal.any([AbortSignal.timeout(timeoutMs), timer.signal]), 'abort').then(
      () => undefined,
    );
    const exit = await Promise.race([this.#exit, late]);
    timer.abort();
    if (exit === undefined) throw this.#failure(`has not ended within ${timeoutMs} ms`);
    return exit;
  }

  /** Fails, with what it said, unless it ends with this code. */
  async exitsWith(code: number, timeoutMs?: number): Promise<void> {
    const exit = await this.exit(timeoutMs);
    if (exit.code !== code) throw this.#failure(`ended with ${exit.signal ?? exit.code}, not with ${code}`);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return this.exit();
  }

  /** Kills it if it still runs. Idempotent. */
  async end(): Promise<void> {
    started.delete(this);
    if (this.#exited === undefined) await this.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  #first<T>(what: string, read: (line: string) => T | undefined, timeoutMs: number = TIMEOUT_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      let next = 0;
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        then();
      };
      const look = (): void => {
        for (; next < this.#lines.length; next += 1) {
          const found = read(this.#lines[next] ?? '');
          if (found !== undefined) return settle(() => resolve(found));
        }
        if (this.#exited !== undefined) {
          const { code, signal } = this.#exited;
          settle(() => reject(this.#failure(`ended (${signal ?? code}) before it said ${what}`)));
        }
      };
      const timer = setTimeout(
        () => settle(() => reject(this.#failure(`has not said ${what} within ${timeoutMs} ms`))),
        timeoutMs,
      );
      this.#watchers.add(look);
      look();
    });
  }

  #collect(stream: 'stdout' | 'stderr', text: string): void {
    const parts = (this.#partial[stream] + text).split('\n');
    this.#partial[stream] = parts.pop() ?? '';
    this.#lines.push(...parts);
    if (parts.length > 0) this.#wake();
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #failure(what: string): Error {
    return new Error(`${this.#name} ${what}. It said:\n${this.output || '(nothing)'}`);
  }
}
