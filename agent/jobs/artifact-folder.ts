/**
 * An ArtifactGateway over a local folder, for running executors without a coordinator and for tests.
 *
 * Layout: `<folder>/<first two hex digits>/<hex>`. Files are read-only and named by the hash of their bytes, so
 * storing the same bytes again costs nothing.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ArtifactGateway, ArtifactReference } from './contract.ts';

export class ArtifactFolder implements ArtifactGateway {
  readonly #folder: string;
  #copies = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async fetch(reference: ArtifactReference): Promise<string> {
    const path = this.#path(reference.$artifact);
    try {
      await access(path, constants.R_OK);
    } catch {
      throw new Error(`${reference.$artifact} is not in ${this.#folder}`);
    }
    return path;
  }

  async store(path: string, about: { name?: string; mediaType?: string }): Promise<ArtifactReference> {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    const id = `sha256:${hash.digest('hex')}`;
    const target = this.#path(id);
    await mkdir(dirname(target), { recursive: true });
    const copy = `${target}.${process.pid}-${++this.#copies}`;
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    await chmod(copy, 0o444);
    await rename(copy, target);
    const { size } = await stat(target);
    return { $artifact: id, name: about.name ?? basename(path), size, mediaType: about.mediaType ?? '' };
  }

  #path(id: string): string {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(id)?.[1];
    if (hex === undefined) throw new Error(`"${id}" is no artifact id`);
    return join(this.#folder, hex.slice(0, 2), hex);
  }
}
