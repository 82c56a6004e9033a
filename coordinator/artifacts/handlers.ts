/**
 * ArtifactService: the store over gRPC, streamed both ways.
 *
 * Invariants: at most a chunk or two of a transfer is in memory, whoever is slow; an upload whose caller left is dropped,
 * never stored as if it had ended.
 */
import { setImmediate } from 'node:timers/promises';
import type * as grpc from '@grpc/grpc-js';
import type { ArtifactRef__Output, PutArtifactRequest__Output } from '../../proto/gen/index.ts';
import type { ArtifactHandlers, Plain } from '../../proto/gen/load.ts';
import { toServiceError } from '../../runtime/grpc-errors.ts';
import type { ErrorLog } from '../../runtime/grpc-errors.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { tidyName } from './address.ts';
import type { ArtifactStore } from './store.ts';

/** As artifact.proto says. */
const MAX_DATA_BYTES = 1024 * 1024;

export interface ArtifactHandlersOptions {
  readonly store: ArtifactStore;
  readonly frame: {
    /** Throws UNAUTHENTICATED. */
    readonly authenticate: (metadata: grpc.Metadata) => unknown;
    readonly log: ErrorLog;
  };
}

type PutCall = Parameters<ArtifactHandlers['putArtifact']>[0];
type GetCall = Parameters<ArtifactHandlers['getArtifact']>[0];

export function artifactHandlers({ store, frame }: ArtifactHandlersOptions): ArtifactHandlers {
  return {
    putArtifact: (call, callback) => {
      put(store, frame.authenticate, call).then(
        (ref) => callback(null, { ref }),
        (error: unknown) => {
          if (!call.cancelled) callback(toServiceError(error, frame.log));
        },
      );
    },
    getArtifact: (call) => {
      get(store, frame.authenticate, call).then(
        () => call.end(),
        (error: unknown) => {
          if (!call.cancelled) call.emit('error', toServiceError(error, frame.log));
        },
      );
    },
  };
}

async function put(
  store: ArtifactStore,
  authenticate: (metadata: grpc.Metadata) => unknown,
  call: PutCall,
): Promise<Plain<ArtifactRef__Output>> {
  authenticate(call.metadata);
  const messages = (call as AsyncIterable<PutArtifactRequest__Output>)[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true || first.value.ref === null)
    throw violation('The first message of an upload names the artifact.');
  const { id, size, name, mediaType } = first.value.ref;
  const announced = { id: id === '' ? undefined : id, size: size === 0 ? undefined : size };
  const stored = await store.put(dataOf(call, first.value, messages), announced);
  return { ...stored, name: tidyName(name), mediaType };
}

async function* dataOf(
  call: PutCall,
  first: PutArtifactRequest__Output,
  messages: AsyncIterator<PutArtifactRequest__Output>,
): AsyncGenerator<Uint8Array> {
  if (first.data.length > 0) yield checked(first.data);
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    if (next.value.ref !== null) throw violation('Only the first message of an upload names the artifact.');
    if (next.value.data.length > 0) yield checked(next.value.data);
  }
  // A caller that leaves looks like the end of its messages at first; grpc-js learns the truth a moment later.
  await setImmediate();
  if (call.cancelled) throw new Error('The caller left.');
}

async function get(
  store: ArtifactStore,
  authenticate: (metadata: grpc.Metadata) => unknown,
  call: GetCall,
): Promise<void> {
  authenticate(call.metadata);
  const { id, offset } = call.request;
  const { size, bytes } = await store.get(id, offset);
  let ref: Plain<ArtifactRef__Output> | null = { id, size };
  for await (const data of bytes) {
    // Leaving the loop closes the file.
    if (!(await write(call, { ref, data }))) return;
    ref = null;
  }
  if (ref !== null) call.write({ ref });
}

/** Waits while the caller is slow; false when it has left. */
async function write(call: GetCall, message: Parameters<GetCall['write']>[0]): Promise<boolean> {
  if (call.cancelled || call.destroyed) return false;
  if (call.write(message)) return true;
  return new Promise((resolve) => {
    const settle = (stays: boolean) => (): void => {
      call.off('drain', onDrain);
      call.off('cancelled', onGone);
      call.off('close', onGone);
      resolve(stays);
    };
    const onDrain = settle(true);
    const onGone = settle(false);
    call.on('drain', onDrain);
    call.on('cancelled', onGone);
    call.on('close', onGone);
  });
}

function checked(data: Buffer): Buffer {
  if (data.length > MAX_DATA_BYTES) throw violation(`A message carries at most ${MAX_DATA_BYTES} bytes.`);
  return data;
}

function violation(message: string): DibsError {
  return new DibsError('PROTOCOL_VIOLATION', message);
}
