/**
 * Stores a blob: a file, bytes in memory, or a stream, in messages of 256 KiB.
 *
 * Invariants: at most a few messages are in memory whatever the size; what the coordinator says it stored is checked
 * against the hash of what was read. A file or bytes are sent again when a coordinator is lost; a stream cannot be.
 */
import type grpc from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type {
  ArtifactRef__Output,
  PutArtifactRequest__Output,
  PutArtifactResponse__Output,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { fromServiceError } from '../../runtime/grpc-errors.ts';
import type { Connection, Endpoint } from './connection.ts';
import { ArtifactCorruptError, DibsError } from './errors.ts';
import { mediaTypeOf } from './media-types.ts';
import { pause } from './pause.ts';
import { Patience } from './reconnect.ts';

/** A blob by reference, as it stands in JSON inputs and outputs. */
export interface ArtifactReference {
  /** `sha256:` and 64 hex digits. */
  readonly $artifact: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
}

/** A path, bytes, or anything that yields bytes. */
export type ArtifactSource = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface PutOptions {
  /** File name for people; default the file's own. */
  readonly name?: string;
  /** Default by the name's ending. */
  readonly mediaType?: string;
  readonly signal?: AbortSignal;
}

const MESSAGE_BYTES = 256 * 1024;

type PutStream = grpc.ClientWritableStream<Plain<PutArtifactRequest__Output>>;

export async function putArtifact(
  connection: Connection,
  source: ArtifactSource,
  options: PutOptions = {},
): Promise<ArtifactReference> {
  const announced = await announce(source, options);
  const patience = new Patience(connection.options.reconnectMs);
  for (;;) {
    options.signal?.throwIfAborted();
    const endpoint = connection.endpoint();
    try {
      return await upload(connection, endpoint, source, announced, options.signal);
    } catch (error) {
      const repeatable = typeof source === 'string' || source instanceof Uint8Array;
      if (!(error instanceof DibsError) || !repeatable || connection.closed) throw error;
      const waitMs = patience.failed(error, Date.now(), Math.random());
      if (waitMs === undefined) throw error;
      connection.moveOn(endpoint);
      await pause(waitMs, options.signal);
    }
  }
}

async function announce(source: ArtifactSource, options: PutOptions): Promise<Plain<ArtifactRef__Output>> {
  const name = options.name ?? (typeof source === 'string' ? basename(source) : '');
  const about = { name, mediaType: options.mediaType ?? mediaTypeOf(name) };
  if (typeof source === 'string') return { ...about, size: (await stat(source)).size };
  if (!(source instanceof Uint8Array)) return about;
  return { ...about, size: source.length, id: `sha256:${createHash('sha256').update(source).digest('hex')}` };
}

async function upload(
  connection: Connection,
  endpoint: Endpoint,
  source: ArtifactSource,
  announced: Plain<ArtifactRef__Output>,
  signal: AbortSignal | undefined,
): Promise<ArtifactReference> {
  const answer = Promise.withResolvers<PutArtifactResponse__Output>();
  // Whoever writes may be waiting for a drain that will not come; the answer is awaited only after the writing.
  answer.promise.catch(() => undefined);
  const settled = new AbortController();
  const call = endpoint.artifacts.putArtifact(connection.metadata, (error, response) => {
    if (error === null) answer.resolve(response as PutArtifactResponse__Output);
    else answer.reject(signal?.aborted === true ? signal.reason : fromServiceError(error));
    settled.abort();
  });
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    call.write({ ref: announced });
    const hash = createHash('sha256');
    for await (const data of inMessages(source)) {
      if (settled.signal.aborted) break;
      hash.update(data);
      if (!call.write({ data })) await drained(call, settled.signal);
    }
    if (!settled.signal.aborted) call.end();
    const { ref } = await answer.promise;
    if (ref === null)
      throw new DibsError('INTERNAL', 'The coordinator stored the artifact without naming it.');
    const expected = `sha256:${hash.digest('hex')}`;
    if (ref.id !== expected) throw new ArtifactCorruptError(expected, ref.id);
    return { $artifact: ref.id, name: ref.name, size: ref.size, mediaType: ref.mediaType };
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

async function drained(call: PutStream, settled: AbortSignal): Promise<void> {
  try {
    await once(call, 'drain', { signal: settled });
  } catch (error) {
    if (!settled.aborted) throw fromServiceError(error);
  }
}

/** The source's bytes in pieces of at most 256 KiB. */
async function* inMessages(source: ArtifactSource): AsyncGenerator<Uint8Array> {
  const pieces =
    typeof source === 'string'
      ? createReadStream(source, { highWaterMark: MESSAGE_BYTES })
      : source instanceof Uint8Array
        ? [source]
        : source;
  for await (const piece of pieces as AsyncIterable<Uint8Array>) {
    for (let at = 0; at < piece.length; at += MESSAGE_BYTES) yield piece.subarray(at, at + MESSAGE_BYTES);
  }
}
