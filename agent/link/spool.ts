/**
 * Completions on disk: one small file each, in the state directory.
 *
 * 1. A file appears whole or not at all (written beside, then renamed).
 * 2. A file that cannot be read is set aside as `*.bad`, never deleted: it is somebody's finished work.
 * 3. Times are kept on the wall clock, because the monotonic one starts anew with every process.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobResult } from '../jobs/contract.ts';
import { UnackedCompletion } from './unacked.ts';
import type { CompletionSpool } from './unacked.ts';
import type { JobEmit } from './wire.ts';

interface SpooledCompletion {
  readonly jobId: string;
  readonly token: string;
  readonly result: JobResult;
  readonly startedAtEpochMs: number;
  readonly finishedAtEpochMs: number;
  readonly emits: readonly JobEmit[];
}

export class FileSpool implements CompletionSpool {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #epochNow: () => number;

  /** `now` is the agent's monotonic clock, `epochNow` the wall clock (3). */
  constructor(folder: string, now: () => number, epochNow: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
    this.#epochNow = epochNow;
  }

  async load(): Promise<UnackedCompletion[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const found: UnackedCompletion[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.endsWith('.part')) await rm(path, { force: true });
      if (!name.endsWith('.json')) continue;
      const completion = this.#parse(await readFile(path, 'utf8'));
      if (completion === undefined) await rename(path, `${path}.bad`);
      else found.push(completion);
    }
    return found.sort((left, right) => left.finishedAt - right.finishedAt);
  }

  async save(completion: UnackedCompletion): Promise<void> {
    const shift = this.#epochNow() - this.#now();
    const spooled: SpooledCompletion = {
      jobId: completion.jobId,
      token: completion.token,
      result: completion.result,
      startedAtEpochMs: completion.startedAt + shift,
      finishedAtEpochMs: completion.finishedAt + shift,
      emits: completion.emits,
    };
    const path = this.#path(completion);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.part`, JSON.stringify(spooled), { mode: 0o600 });
    await rename(`${path}.part`, path);
  }

  async remove(completion: UnackedCompletion): Promise<void> {
    await rm(this.#path(completion), { force: true });
  }

  #path(completion: UnackedCompletion): string {
    return join(
      this.#folder,
      `${createHash('sha256').update(completion.key).digest('hex').slice(0, 32)}.json`,
    );
  }

  #parse(text: string): UnackedCompletion | undefined {
    try {
      const spooled = JSON.parse(text) as SpooledCompletion;
      if (typeof spooled.jobId !== 'string' || typeof spooled.token !== 'string') return undefined;
      if (typeof spooled.result?.verdict !== 'string') return undefined;
      const shift = this.#now() - this.#epochNow();
      const completion = new UnackedCompletion({
        ...spooled,
        startedAt: spooled.startedAtEpochMs + shift,
        finishedAt: spooled.finishedAtEpochMs + shift,
      });
      completion.spooled = true;
      return completion;
    } catch {
      return undefined;
    }
  }
}
