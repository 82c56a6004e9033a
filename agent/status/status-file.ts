/**
 * `status.json` in the state directory: what the agent last said of itself, readable when it is gone, and by health
 * checks that have nothing but a shell.
 *
 * 1. Written whole (beside, then renamed), at most every WRITE_MS, and once more at the end.
 */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentSnapshot } from './snapshot.ts';

const WRITE_MS = 5_000;

export class StatusFile {
  readonly #path: string;
  readonly #snapshot: () => AgentSnapshot;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(stateDir: string, snapshot: () => AgentSnapshot, failed: (error: unknown) => void) {
    this.#path = join(stateDir, 'status.json');
    this.#snapshot = snapshot;
    this.#failed = failed;
  }

  start(): void {
    void this.runOnce();
    this.#timer ??= setInterval(() => void this.runOnce(), WRITE_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.runOnce();
  }

  runOnce(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write()).catch(this.#failed);
    return this.#writing;
  }

  async #write(): Promise<void> {
    const content = { ...this.#snapshot(), writtenAt: new Date().toISOString() };
    await writeFile(`${this.#path}.part`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    await rename(`${this.#path}.part`, this.#path);
  }
}
