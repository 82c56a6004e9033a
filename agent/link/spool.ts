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
import { UnackedCompletion, isVerdict } from './unacked.ts';
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
  readonly #setAside: (path: string) => void;

  /** `now` is the agent's monotonic clock, `epochNow` the wall clock (3); `setAside` hears of files that are (2). */
  constructor(options: {
    folder: string;
    now: () => number;
    epochNow?: () => number;
    setAside?: (path: string) => void;
  }) {
    this.#folder = options.folder;
    this.#now = options.now;
    this.#epochNow = options.epochNow ?? Date.now;
    this.#setAside = options.setAside ?? (() => undefined);
  }

  async load(): Promise<UnackedCompletion[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const found: UnackedCompletion[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.endsWith('.part')) await rm(path, { force: true });
      if (!name.endsWith('.json')) continue;
      const completion = this.#parse(await readFile(path, 'utf8'));
      if (completion === undefined) {
        await rename(path, `${path}.bad`);
        this.#setAside(`${path}.bad`);
      } else found.push(completion);
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
    try {
      await writeFile(`${path}.part`, JSON.stringify(spooled), { mode: 0o600 });
      await rename(`${path}.part`, path);
    } catch (error) {
      // Half a file on a full disk helps nobody.
      await rm(`${path}.part`, { force: true }).catch(() => undefined);
      throw error;
    }
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
      if (!isComplete(spooled)) return undefined;
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

/** Every field that is worked with is there and of its kind. */
function isComplete({
  jobId,
  token,
  result,
  startedAtEpochMs,
  finishedAtEpochMs,
  emits,
}: SpooledCompletion): boolean {
  const texts = [jobId, token, result.outputJson, result.reason, result.message, result.blockedReason];
  return (
    texts.every((text) => typeof text === 'string') &&
    [startedAtEpochMs, finishedAtEpochMs, result.runMs].every(Number.isFinite) &&
    isVerdict(result.verdict) &&
    Array.isArray(emits) &&
    emits.every(({ batch, inputsJson }) => Number.isInteger(batch) && Array.isArray(inputsJson))
  );
}
