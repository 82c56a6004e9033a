/**
 * Local copies of artifacts, named by the hash of their bytes: `<folder>/<first two hex digits>/<hex>`.
 *
 * 1. A file appears under its name only after its bytes were hashed and matched; it is read-only.
 * 2. Above `maxBytes` the least recently used go, but none that was used within KEEP_MS: a job may be about to open it.
 * 3. Ids come from job inputs: only `sha256:` and 64 hex digits ever become a path.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const KEEP_MS = 10 * 60_000;
const ID = /^sha256:([0-9a-f]{64})$/;

export interface BlobCacheOptions {
  readonly folder: string;
  readonly maxBytes: number;
  readonly epochNow?: () => number;
}

export class BlobCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #epochNow: () => number;
  #sinceTrim = 0;

  constructor(options: BlobCacheOptions) {
    this.#folder = options.folder;
    this.#maxBytes = options.maxBytes;
    this.#epochNow = options.epochNow ?? Date.now;
  }

  /** Path of the copy, marked as just used; undefined = not here. */
  async find(id: string): Promise<string | undefined> {
    const path = this.#path(id);
    const now = new Date(this.#epochNow());
    return utimes(path, now, now).then(
      () => path,
      () => undefined,
    );
  }

  /** Takes bytes in under the id they must have (1). */
  async add(id: string, bytes: AsyncIterable<Uint8Array>): Promise<string> {
    const path = this.#path(id);
    const part = await this.#partFor(path);
    const hash = createHash('sha256');
    let size = 0;
    const hashing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        size += chunk.length;
        done(null, chunk);
      },
    });
    try {
      await pipeline(bytes, hashing, createWriteStream(part, { mode: 0o600 }));
      const found = `sha256:${hash.digest('hex')}`;
      if (found !== id) throw new Error(`the bytes of ${id} hash to ${found}`);
      return await this.#settle(part, path, size);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  /** Keeps a copy of a local file whose hash is known. */
  async addFile(id: string, from: string, size: number): Promise<string> {
    const path = this.#path(id);
    const part = await this.#partFor(path);
    await copyFile(from, part, constants.COPYFILE_FICLONE);
    return this.#settle(part, path, size);
  }

  /** Makes room (2); returns the bytes that are left. */
  async trim(): Promise<number> {
    this.#sinceTrim = 0;
    const files = await this.#files();
    let total = files.reduce((sum, { size }) => sum + size, 0);
    const young = this.#epochNow() - KEEP_MS;
    for (const { path, size, usedAt } of files.toSorted((left, right) => left.usedAt - right.usedAt)) {
      if (total <= this.#maxBytes || usedAt > young) break;
      await rm(path, { force: true });
      total -= size;
    }
    return total;
  }

  async #settle(part: string, path: string, size: number): Promise<string> {
    await chmod(part, 0o444);
    await rename(part, path);
    this.#sinceTrim += size;
    // Listing the folder is not free: once per sixteenth of the limit is often enough.
    if (this.#sinceTrim > this.#maxBytes / 16) await this.trim();
    return path;
  }

  async #partFor(path: string): Promise<string> {
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    return `${path}.${randomUUID()}.part`;
  }

  async #files(): Promise<{ path: string; size: number; usedAt: number }[]> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const found = await Promise.all(
      entries
        .filter((entry) => entry.isFile())
        .map(async (entry) => {
          const path = join(entry.parentPath, entry.name);
          const info = await stat(path).catch(() => undefined);
          return info === undefined ? [] : [{ path, size: info.size, usedAt: info.mtimeMs }];
        }),
    );
    return found.flat();
  }

  #path(id: string): string {
    const hex = ID.exec(id)?.[1];
    if (hex === undefined) throw new Error(`"${id}" is not an artifact id`);
    return join(this.#folder, hex.slice(0, 2), hex);
  }
}
