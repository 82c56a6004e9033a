/**
 * Blobs in files named by the hash of their bytes. Name and media type live in the JSON references, not here.
 *
 * Numbered rules:
 *   1. A file under its final name is whole and on disk: written aside, hashed while it streams, fsynced, then renamed.
 *   2. The same bytes are stored once; storing them again reads them (the hash must be right) and writes nothing.
 *   3. What was announced, an id or a size, is checked; bytes that differ are not kept (ARTIFACT_MISMATCH).
 *   4. Too large, or no room: refused as early as it is known (ARTIFACT_TOO_LARGE, STORE_FULL), nothing is left behind.
 *   5. Several coordinators may share the folder; uploads nobody finished are removed after a day.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DibsError } from '../../sdk/common/errors.ts';
import { idOfDigest, pathOfId } from './address.ts';

export interface ArtifactStoreOptions {
  /** Made when missing. */
  readonly folder: string;
  /** Largest artifact; default 16 GiB. */
  readonly maxBytes?: number;
  /** Room left on the disk for everybody else; default 256 MiB. */
  readonly minFreeBytes?: number;
}

export interface StoredArtifact {
  readonly id: string;
  readonly size: number;
}

/** What the sender says of the bytes before they come. */
export interface Announced {
  readonly id?: string | undefined;
  readonly size?: number | undefined;
}

const GIB = 2 ** 30;
const CHUNK_BYTES = 256 * 1024;
const ABANDONED_MS = 24 * 3_600_000;

export class ArtifactStore {
  readonly #folder: string;
  readonly #aside: string;
  readonly #maxBytes: number;
  readonly #minFreeBytes: number;
  #prepared: Promise<void> | undefined;

  constructor(options: ArtifactStoreOptions) {
    this.#folder = options.folder;
    this.#aside = join(options.folder, 'incoming');
    this.#maxBytes = options.maxBytes ?? 16 * GIB;
    this.#minFreeBytes = options.minFreeBytes ?? GIB / 4;
  }

  /** Reads `bytes` to their end and keeps them. */
  async put(bytes: AsyncIterable<Uint8Array>, announced: Announced = {}): Promise<StoredArtifact> {
    const known = announced.id === undefined ? undefined : await this.has(announced.id);
    if ((announced.size ?? 0) > this.#maxBytes) throw this.#tooLarge();
    if (known !== undefined) return this.#verify(bytes, announced);
    await this.#prepare();
    await this.#requireRoom(announced.size ?? 0);
    const aside = join(this.#aside, randomUUID());
    try {
      const file = await open(aside, 'wx', 0o600);
      try {
        const stored = await this.#receive(bytes, announced, (chunk) => writeAll(file, chunk));
        await file.sync();
        await file.chmod(0o400);
        await this.#keep(aside, stored.id);
        return stored;
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(aside, { force: true });
      throw isNoRoom(error) ? storeFull(error) : error;
    }
  }

  /** Size of a stored artifact; undefined when it is not here. */
  async has(id: string): Promise<number | undefined> {
    try {
      return (await stat(pathOfId(this.#folder, id))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The bytes from `offset` on, in chunks of 256 KiB. Throws ARTIFACT_NOT_FOUND, or INVALID_REQUEST for an offset beyond the end. */
  async get(id: string, offset = 0): Promise<StoredArtifact & { readonly bytes: AsyncIterable<Buffer> }> {
    const size = await this.has(id);
    if (size === undefined) throw new DibsError('ARTIFACT_NOT_FOUND', `There is no artifact ${id}.`);
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > size) {
      throw new DibsError('INVALID_REQUEST', `Offset ${offset} lies outside the artifact's ${size} bytes.`);
    }
    const bytes = createReadStream(pathOfId(this.#folder, id), { start: offset, highWaterMark: CHUNK_BYTES });
    return { id, size, bytes };
  }

  /** Rule 2: hashed like any other, kept nowhere. */
  #verify(bytes: AsyncIterable<Uint8Array>, announced: Announced): Promise<StoredArtifact> {
    return this.#receive(bytes, announced, () => Promise.resolve());
  }

  async #receive(
    bytes: AsyncIterable<Uint8Array>,
    announced: Announced,
    write: (chunk: Uint8Array) => Promise<void>,
  ): Promise<StoredArtifact> {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of bytes) {
      size += chunk.length;
      if (size > this.#maxBytes) throw this.#tooLarge();
      if (announced.size !== undefined && size > announced.size)
        throw mismatch('size', announced.size, `more than ${announced.size}`);
      hash.update(chunk);
      await write(chunk);
    }
    const id = idOfDigest(hash.digest('hex'));
    if (announced.size !== undefined && size !== announced.size) throw mismatch('size', announced.size, size);
    if (announced.id !== undefined && id !== announced.id) throw mismatch('id', announced.id, id);
    return { id, size };
  }

  /** Rule 1. A rename onto the same bytes by somebody else changes nothing. */
  async #keep(aside: string, id: string): Promise<void> {
    const path = pathOfId(this.#folder, id);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(aside, path);
    await syncFolder(dirname(path));
  }

  #prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      await mkdir(this.#aside, { recursive: true, mode: 0o700 });
      await this.removeAbandoned(Date.now() - ABANDONED_MS);
    })().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  /** Rule 5: removes uploads last written to before `untilMs`. */
  async removeAbandoned(untilMs: number): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.#aside)) {
      const path = join(this.#aside, name);
      const about = await stat(path).catch(() => undefined);
      if (about === undefined || about.mtimeMs >= untilMs) continue;
      await rm(path, { force: true });
      removed += 1;
    }
    return removed;
  }

  async #requireRoom(size: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#aside);
    if (bavail * bsize - size < this.#minFreeBytes) throw storeFull();
  }

  #tooLarge(): DibsError {
    return new DibsError(
      'ARTIFACT_TOO_LARGE',
      `The artifact is larger than the ${this.#maxBytes} bytes this store takes.`,
      {
        metadata: { max_bytes: String(this.#maxBytes) },
      },
    );
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += (await file.write(chunk, written, chunk.length - written)).bytesWritten;
  }
}

/** A rename is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function mismatch(what: 'id' | 'size', expected: string | number, actual: string | number): DibsError {
  return new DibsError('ARTIFACT_MISMATCH', `The ${what} was announced as ${expected} and is ${actual}.`, {
    metadata: { expected: String(expected), actual: String(actual) },
  });
}

function isNoRoom(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function storeFull(cause?: unknown): DibsError {
  return new DibsError('STORE_FULL', 'The disk of the artifact store is full.', {
    retryAfterMs: 30_000,
    cause,
  });
}
