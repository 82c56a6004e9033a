/**
 * Reads a blob: as a stream, or into a file whose bytes have been checked.
 *
 * Invariants: a lost coordinator costs nothing, reading goes on at the byte where it stopped; a stream that ends well
 * had all bytes and the right hash; a file at the wanted path is whole, because it is renamed into place.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fromServiceError } from '../../runtime/grpc-errors.ts';
import type { ArtifactReference } from './artifact-upload.ts';
import type { Connection } from './connection.ts';
import { ArtifactCorruptError, DibsError } from './errors.ts';
import { pause } from './pause.ts';
import { Patience } from './reconnect.ts';

export interface GetArtifactOptions {
  readonly signal?: AbortSignal;
}

/** A reference, or its id alone. */
export type ArtifactName = ArtifactReference | string;

/** A byte stream; ends with ArtifactCorruptError when the bytes are not those of the id. */
export function getArtifact(
  connection: Connection,
  which: ArtifactName,
  options: GetArtifactOptions = {},
): Readable {
  return Readable.from(bytesOf(connection, artifactId(which), options.signal), { objectMode: false });
}

/** Writes the blob to `path`, making folders as needed. */
export async function downloadArtifact(
  connection: Connection,
  which: ArtifactName,
  path: string,
  options: GetArtifactOptions = {},
): Promise<void> {
  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await pipeline(getArtifact(connection, which, options), createWriteStream(partial));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function* bytesOf(
  connection: Connection,
  id: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const patience = new Patience(connection.options.reconnectMs);
  const hash = createHash('sha256');
  let offset = 0;
  for (;;) {
    signal?.throwIfAborted();
    const endpoint = connection.endpoint();
    const call = endpoint.artifacts.getArtifact({ id, offset }, connection.metadata);
    const cancel = (): void => call.cancel();
    call.on('error', () => undefined);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      for await (const { data } of call as AsyncIterable<{ data: Buffer }>) {
        patience.succeeded();
        if (data.length === 0) continue;
        hash.update(data);
        offset += data.length;
        yield data;
      }
      const actual = `sha256:${hash.digest('hex')}`;
      if (actual !== id) throw new ArtifactCorruptError(id, actual);
      return;
    } catch (error) {
      if (error instanceof ArtifactCorruptError) throw error;
      if (signal?.aborted === true) throw signal.reason;
      const failure = fromServiceError(error);
      const waitMs = patience.failed(failure, Date.now(), Math.random());
      if (waitMs === undefined || connection.closed) throw failure;
      connection.moveOn(endpoint);
      await pause(waitMs, signal);
    } finally {
      signal?.removeEventListener('abort', cancel);
      cancel();
    }
  }
}

function artifactId(which: ArtifactName): string {
  const id = typeof which === 'string' ? which : which.$artifact;
  if (/^sha256:[0-9a-f]{64}$/.test(id)) return id;
  throw new DibsError(
    'INVALID_REQUEST',
    `"${id}" is not an artifact's id: those are "sha256:" and 64 hex digits.`,
  );
}
