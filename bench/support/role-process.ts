/**
 * The parent's side of a role: a Node process of its own, spoken to over its IPC channel.
 *
 * Invariants: `start` resolves when the role says it is ready; a role that ends without having been stopped fails what
 * was asked of it; `stop` ends it, by force after a grace.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { READY } from './role.ts';
import type { Answer } from './role.ts';

const STOP_GRACE_MS = 15_000;

export interface RoleLaunch {
  /** For people: "coordinator". */
  readonly name: string;
  readonly module: URL;
  readonly setup: unknown;
  /** Folder for V8 profiles, one file a thread. */
  readonly profileTo?: string | undefined;
}

interface Open {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class RoleProcess {
  readonly name: string;
  readonly pid: number;
  ready: unknown;
  readonly #child: ChildProcess;
  readonly #open = new Map<number, Open>();
  readonly #gone: Promise<unknown>;
  #ids = READY;
  #ended: string | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.#gone = once(child, 'exit');
    child.on('message', (message) => this.#take(message as Answer));
    child.on('exit', (code, signal) => this.#lost(`${name} ended (${signal ?? code})`));
    child.on('error', (error) => this.#lost(`${name}: ${error.message}`));
  }

  static async start({ name, module, setup, profileTo }: RoleLaunch): Promise<RoleProcess> {
    const child = fork(fileURLToPath(module), [JSON.stringify(setup)], {
      execArgv: profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileTo}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const role = new RoleProcess(name, child);
    try {
      role.ready = await role.#answerTo(READY);
    } catch (error) {
      await role.stop();
      throw error;
    }
    return role;
  }

  ask<T>(name: string, data?: unknown): Promise<T> {
    const id = ++this.#ids;
    const answer = this.#answerTo(id);
    if (this.#ended === undefined) this.#child.send({ id, name, data });
    return answer as Promise<T>;
  }

  async stop(): Promise<void> {
    if (this.#ended === undefined && this.#child.connected) {
      this.#child.send({ id: -1, name: 'stop', data: null }, () => {});
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
      await this.#gone;
      clearTimeout(timer);
    } else if (this.#ended === undefined) {
      this.#child.kill('SIGKILL');
      await this.#gone;
    }
  }

  #answerTo(id: number): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    return new Promise((resolve, reject) => this.#open.set(id, { resolve, reject }));
  }

  #take({ id, value, error }: Answer): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) open?.resolve(value);
    else open?.reject(new Error(`${this.name}: ${error}`));
  }

  #lost(why: string): void {
    this.#ended ??= why;
    for (const { reject } of this.#open.values()) reject(new Error(why));
    this.#open.clear();
  }
}
