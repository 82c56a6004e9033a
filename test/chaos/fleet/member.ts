/**
 * One process of a fleet: started, killed, frozen and started again under the same name.
 *
 * 1. What it says goes to one log file, over all its lives; nothing of it passes through this process.
 * 2. It ends because it was asked to, or its end is reported: any exit without `kill`, `stop` or a signal to end, and an
 *    exit after such a signal with another code than 0 (130 after the second).
 * 3. The children of an agent must die with it by themselves. `kill` waits for that; who does not is reported and killed.
 * 4. It never outlives the harness (reaper.ts).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExitCode } from '../../../runtime/exit-codes.ts';
import { isAlive, startedBy } from '../../support/processes.ts';
import { until } from '../../support/until.ts';
import { forgetPid, watchPid } from './reaper.ts';

export type MemberKind = 'redis' | 'coordinator' | 'agent' | 'consumer';
export type MemberState = 'down' | 'up' | 'frozen';

export interface MemberOptions {
  readonly name: string;
  readonly kind: MemberKind;
  readonly logFile: string;
  /** Of node: flags, the program, its arguments. */
  readonly args: readonly string[];
  /** Command and arguments before node: into a namespace. It must become the program, not start it. */
  readonly enter?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Matches what it has said in this life once it is ready; without one it is ready when it has been started. */
  readonly ready?: RegExp;
  readonly readyTimeoutMs?: number;
  /** It may end by itself, with code 0. */
  readonly mayEnd?: boolean;
  /** What went against rules 2 and 3, in words, with the end of the log. */
  readonly onUnexpectedExit?: (what: string) => void;
}

const READY_TIMEOUT_MS = 60_000;
const GONE_TIMEOUT_MS = 10_000;
const CHILDREN_GRACE_MS = 5_000;
const STOP_GRACE_MS = 5_000;
const LOG_TAIL_BYTES = 2_000;

export class Member {
  readonly name: string;
  readonly kind: MemberKind;
  readonly logFile: string;
  readonly mayEnd: boolean;
  pid: number | undefined;
  state: MemberState = 'down';
  /** Starts after the first. */
  restarts = -1;
  readonly #options: MemberOptions;
  #child: ChildProcess | undefined;
  /** Where its log began in this life. */
  #lifeFrom = 0;
  #over = false;
  #gone: Promise<void> = Promise.resolve();
  /** To leave, once or more often, or the hard way. */
  #asked: 'no' | 'once' | 'again' | 'killed' = 'no';

  constructor(options: MemberOptions) {
    this.#options = options;
    this.name = options.name;
    this.kind = options.kind;
    this.logFile = options.logFile;
    this.mayEnd = options.mayEnd ?? false;
  }

  /** Resolves when it is ready; rejects when it ends before that or takes too long. */
  async start(): Promise<void> {
    if (this.#over) throw new Error(`${this.name} has been stopped.`);
    if (this.state !== 'down') throw new Error(`${this.name} runs already.`);
    const { args, enter = [], env, cwd, ready, readyTimeoutMs = READY_TIMEOUT_MS } = this.#options;
    mkdirSync(dirname(this.logFile), { recursive: true });
    const log = openSync(this.logFile, 'a');
    this.#lifeFrom = fstatSync(log).size;
    const [program = '', ...rest] = [...enter, process.execPath, ...args];
    const child = spawn(program, rest, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    closeSync(log);
    this.#gone = this.#follow(child);
    this.restarts += 1;
    if (ready === undefined || (await this.said(ready, readyTimeoutMs)) || this.#asked !== 'no') return;
    throw new Error(`${this.name} ended before it was ready.\n${this.tail()}`);
  }

  /** Waits until its log matches, from the start of this life on; false when that life ends before. */
  async said(pattern: RegExp, timeoutMs: number = READY_TIMEOUT_MS): Promise<boolean> {
    const child = this.#child;
    const look = (): 'said' | 'over' | undefined => {
      if (pattern.test(readFrom(this.logFile, this.#lifeFrom))) return 'said';
      return child === undefined || this.#child !== child ? 'over' : undefined;
    };
    return (await until(`${this.name} to say ${pattern}`, look, { timeoutMs, everyMs: 20 })) === 'said';
  }

  /** SIGKILL; resolves when it, and what it had started, is gone. */
  async kill(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    const children = this.kind === 'agent' ? startedBy(pid, '-') : [];
    this.#asked = 'killed';
    this.#send('SIGKILL');
    await this.gone();
    await this.#untilDead(children.map((child) => child.pid));
  }

  /** Its own process only, not what it has started. */
  freeze(): void {
    if (this.state !== 'up') return;
    this.#send('SIGSTOP');
    this.state = 'frozen';
  }

  thaw(): void {
    if (this.state !== 'frozen') return;
    this.#send('SIGCONT');
    this.state = 'up';
  }

  signal(name: NodeJS.Signals): void {
    const toLeave = ['SIGTERM', 'SIGINT', 'SIGHUP'].includes(name);
    if (toLeave && this.#asked !== 'killed') this.#asked = this.#asked === 'no' ? 'once' : 'again';
    this.#send(name);
  }

  /** Resolves when it is not running. */
  async gone(timeoutMs: number = GONE_TIMEOUT_MS): Promise<void> {
    await until(`${this.name} to be gone`, () => this.state === 'down', { timeoutMs });
    await this.#gone;
  }

  /** SIGTERM, again for those that drain, then SIGKILL. It cannot be started again. Idempotent. */
  async stop(): Promise<void> {
    this.#over = true;
    if (this.state === 'down') return;
    this.thaw();
    for (const graceMs of [STOP_GRACE_MS / 2, STOP_GRACE_MS / 2]) {
      // A second signal of impatience may end it with another code.
      this.#asked = 'killed';
      this.#send('SIGTERM');
      if (await settled(this.gone(graceMs))) return;
    }
    await this.kill();
  }

  /** End of the log. */
  tail(): string {
    return readFrom(this.logFile, -LOG_TAIL_BYTES);
  }

  #follow(child: ChildProcess): Promise<void> {
    this.#child = child;
    this.#asked = 'no';
    this.pid = child.pid;
    this.state = 'up';
    if (child.pid !== undefined) watchPid(child.pid);
    return new Promise((resolve) => {
      const over = (code: number | null, signal: string | null): void => {
        if (child.pid !== undefined) forgetPid(child.pid);
        if (!this.#mayEndWith(code)) this.report(`${this.name} ended by itself (${signal ?? code}).`);
        this.#child = undefined;
        this.pid = undefined;
        this.state = 'down';
        resolve();
      };
      child.once('exit', over);
      child.once('error', (error) => over(null, error.message));
    });
  }

  #mayEndWith(code: number | null): boolean {
    if (this.#asked === 'killed') return true;
    if (this.#asked === 'no') return this.mayEnd && code === 0;
    return code === 0 || (this.#asked === 'again' && code === ExitCode.INTERRUPTED);
  }

  async #untilDead(pids: readonly number[]): Promise<void> {
    const alive = (): number[] => pids.filter((pid) => isAlive(pid));
    if (await settled(until('children to die', () => alive().length === 0, { timeoutMs: CHILDREN_GRACE_MS })))
      return;
    this.report(`Children of ${this.name} outlived it: ${alive().join(', ')}.`);
    for (const pid of alive()) process.kill(pid, 'SIGKILL');
  }

  protected report(what: string): void {
    this.#options.onUnexpectedExit?.(`${what}\n${this.tail()}`);
  }

  #send(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }
}

/** Text from an offset on, or the last bytes of it; empty where there is no file. */
function readFrom(file: string, offset: number): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      const from = offset < 0 ? Math.max(0, size + offset) : offset;
      const bytes = Buffer.alloc(Math.max(0, size - from));
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, from)).toString();
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}
