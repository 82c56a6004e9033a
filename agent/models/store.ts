/**
 * The model files of this box: fetched once, checked, kept until the room is needed.
 *
 * 1. A file appears under its name only when its size and hash are right; until then it is `<name>.part`, from which a later fetch goes
 *    on where the server can.
 * 2. One fetch of a model at a time, shared by all who wait; it ends when nobody waits any more.
 * 3. What is in use is never removed; of the rest the least recently used goes first, and only as much as must.
 * 4. Below the free space to be kept nothing is fetched: `lowDisk` says so, and the agent takes nothing.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { modelFile } from '../../sdk/executor/models.ts';
import type { Model } from '../../sdk/executor/models.ts';

export type ModelReason = 'MODEL_UNAVAILABLE' | 'MODEL_CORRUPT' | 'DISK_FULL';

export class ModelError extends Error {
  readonly reason: ModelReason;

  constructor(reason: ModelReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ModelError';
    this.reason = reason;
  }
}

export interface FetchProgress {
  readonly model: string;
  readonly bytesDone: number;
  /** 0 = not known. */
  readonly bytesTotal: number;
  readonly bytesPerSecond: number;
  /** 0 = not known. */
  readonly etaMs: number;
}

export interface ModelStoreOptions {
  readonly folder: string;
  /** Most the files may take together. */
  readonly maxBytes: number;
  /** Free space to be left on the disk. */
  readonly minFreeBytes: number;
  readonly now: () => number;
  /** What is here has changed. */
  readonly changed: () => void;
  readonly fetch?: typeof fetch;
}

interface Fetching {
  readonly done: Promise<void>;
  readonly abort: AbortController;
  readonly listeners: Set<(progress: FetchProgress) => void>;
  waiting: number;
}

const PART = '.part';

export class ModelStore {
  readonly #o: ModelStoreOptions;
  readonly #here = new Map<string, Model>();
  readonly #fetching = new Map<string, Fetching>();
  readonly #inUse = new Map<string, number>();

  constructor(options: ModelStoreOptions) {
    this.#o = options;
  }

  /** Finds which of these files are here already. */
  async open(models: readonly Model[]): Promise<void> {
    await mkdir(this.#o.folder, { recursive: true });
    for (const model of models) {
      const size = await sizeOf(this.pathOf(model));
      if (size !== undefined && (model.size === undefined || size === model.size))
        this.#here.set(modelFile(model), model);
    }
  }

  pathOf(model: Model): string {
    return join(this.#o.folder, modelFile(model));
  }

  /** Names of those whose files are here. */
  get names(): readonly string[] {
    return [...new Set([...this.#here.values()].map(({ name }) => name))];
  }

  has(model: Model): boolean {
    return this.#here.has(modelFile(model));
  }

  get isFetching(): boolean {
    return this.#fetching.size > 0;
  }

  async lowDisk(): Promise<boolean> {
    return (await this.#freeBytes()) < this.#o.minFreeBytes;
  }

  /** Keeps a file from being removed until the function it gives is called. */
  use(model: Model): () => void {
    const file = modelFile(model);
    this.#inUse.set(file, (this.#inUse.get(file) ?? 0) + 1);
    const at = new Date();
    // Its age is when it was used last.
    if (this.#here.has(file)) void utimes(this.pathOf(model), at, at).catch(() => undefined);
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      const count = (this.#inUse.get(file) ?? 1) - 1;
      if (count === 0) this.#inUse.delete(file);
      else this.#inUse.set(file, count);
    };
  }

  /** Resolves when the file is here; rejects with a ModelError, or the signal's reason. */
  async ensure(
    model: Model,
    signal: AbortSignal,
    listener: (progress: FetchProgress) => void = () => undefined,
  ): Promise<void> {
    signal.throwIfAborted();
    const file = modelFile(model);
    if (this.#here.has(file)) return;
    let fetching = this.#fetching.get(file);
    if (fetching === undefined) {
      const abort = new AbortController();
      const listeners = new Set<(progress: FetchProgress) => void>();
      const done = this.#fetch(model, abort.signal, listeners).finally(() => this.#fetching.delete(file));
      done.catch(() => undefined);
      fetching = { done, abort, listeners, waiting: 0 };
      this.#fetching.set(file, fetching);
    }
    const { done, abort, listeners } = fetching;
    const stopped = Promise.withResolvers<never>();
    const stop = (): void => stopped.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    listeners.add(listener);
    fetching.waiting++;
    try {
      await Promise.race([done, stopped.promise]);
    } finally {
      signal.removeEventListener('abort', stop);
      listeners.delete(listener);
      fetching.waiting--;
      if (fetching.waiting === 0) abort.abort();
    }
  }

  async #fetch(
    model: Model,
    signal: AbortSignal,
    listeners: ReadonlySet<(progress: FetchProgress) => void>,
  ): Promise<void> {
    const path = this.pathOf(model);
    const part = `${path}${PART}`;
    try {
      await this.#makeRoom(model);
      if (model.url.startsWith('file:')) await copyFile(fileURLToPath(model.url), part);
      else await this.#download(model, part, signal, listeners);
      await check(model, part);
      await rename(part, path);
    } catch (error) {
      throw signal.aborted ? error : asModelError(model, error);
    }
    this.#here.set(modelFile(model), model);
    this.#o.changed();
  }

  async #download(
    model: Model,
    part: string,
    signal: AbortSignal,
    listeners: ReadonlySet<(progress: FetchProgress) => void>,
  ): Promise<void> {
    const before = (await sizeOf(part)) ?? 0;
    const get = this.#o.fetch ?? fetch;
    const headers: Record<string, string> = before > 0 ? { range: `bytes=${before}-` } : {};
    let response = await get(model.url, { headers, signal });
    // The part is all of it, or of another file: begun anew.
    if (response.status === 416) response = await get(model.url, { signal });
    if (!response.ok || response.body === null)
      throw new ModelError('MODEL_UNAVAILABLE', `${model.url} answers ${response.status}.`);
    const from = response.status === 206 ? before : 0;
    const length = Number(response.headers.get('content-length') ?? 0);
    const total = model.size ?? (length > 0 ? from + length : 0);
    let done = from;
    const began = this.#o.now();
    const count = async function* (
      this: void,
      chunks: AsyncIterable<Uint8Array>,
    ): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        done += chunk.length;
        tell();
        yield chunk;
      }
    };
    const tell = (): void => {
      const seconds = Math.max(0.001, (this.#o.now() - began) / 1000);
      const bytesPerSecond = (done - from) / seconds;
      const left = total > 0 && bytesPerSecond > 0 ? (total - done) / bytesPerSecond : 0;
      const progress = {
        model: model.name,
        bytesDone: done,
        bytesTotal: total,
        bytesPerSecond,
        etaMs: Math.max(0, Math.round(left * 1000)),
      };
      for (const listener of listeners) listener(progress);
    };
    tell();
    await pipeline(
      Readable.fromWeb(response.body as never),
      count,
      createWriteStream(part, { flags: from > 0 ? 'a' : 'w' }),
      { signal },
    );
  }

  /** Removes what was used longest ago until the file fits (3, 4). */
  async #makeRoom(model: Model): Promise<void> {
    const needed = model.size ?? 0;
    const { maxBytes, minFreeBytes, folder } = this.#o;
    if (needed > maxBytes)
      throw new ModelError('DISK_FULL', `${model.name} has ${needed} bytes; the cache keeps ${maxBytes}.`);
    const kept = await Promise.all(
      [...this.#here].map(async ([file, one]) => {
        const about = await stat(join(folder, file)).catch(() => undefined);
        return { file, one, size: about?.size ?? 0, usedAt: about?.mtimeMs ?? 0 };
      }),
    );
    let sum = kept.reduce((total, { size }) => total + size, 0);
    let free = await this.#freeBytes();
    const evictable = kept.filter(({ file }) => !this.#inUse.has(file)).sort((a, b) => a.usedAt - b.usedAt);
    for (const { file, size } of evictable) {
      if (sum + needed <= maxBytes && free - needed >= minFreeBytes) break;
      this.#here.delete(file);
      await rm(join(folder, file), { force: true });
      this.#o.changed();
      sum -= size;
      free += size;
    }
    if (sum + needed > maxBytes)
      throw new ModelError('DISK_FULL', `No room for ${model.name} in the cache: the rest is in use.`);
    if (free - needed < minFreeBytes)
      throw new ModelError(
        'DISK_FULL',
        `${free} bytes are free on disk; ${model.name} would leave less than ${minFreeBytes}.`,
      );
  }

  async #freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#o.folder);
    return bavail * bsize;
  }

  /** Parts nobody fetches, and files no model of this agent names: what an earlier one has left. */
  async sweep(models: readonly Model[]): Promise<void> {
    const known = new Set(models.flatMap((model) => [modelFile(model), `${modelFile(model)}${PART}`]));
    for (const file of await readdir(this.#o.folder).catch(() => []))
      if (!known.has(file)) await rm(join(this.#o.folder, file), { force: true });
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Rejects, and removes the file, when it is not what was asked for. */
async function check({ name, size, sha256 }: Model, path: string): Promise<void> {
  const actual = await sizeOf(path);
  if (size !== undefined && actual !== size) {
    await rm(path, { force: true });
    throw new ModelError('MODEL_CORRUPT', `${name} has ${actual} bytes, not ${size}.`);
  }
  if (sha256 === undefined) return;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const found = hash.digest('hex');
  if (found === sha256.toLowerCase()) return;
  await rm(path, { force: true });
  throw new ModelError('MODEL_CORRUPT', `${name} has the hash ${found}, not ${sha256}.`);
}

function asModelError(model: Model, error: unknown): ModelError {
  if (error instanceof ModelError) return error;
  const code = (error as { code?: unknown }).code;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const cause = (error as Error).cause;
  const why = cause instanceof Error ? cause.message : (error as Error).message;
  return new ModelError(full ? 'DISK_FULL' : 'MODEL_UNAVAILABLE', `${model.name} from ${model.url}: ${why}`, {
    cause: error,
  });
}
