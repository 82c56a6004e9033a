/**
 * Loads the .proto files once per process and gives an encoder and a decoder for each message by its full name.
 *
 * Encoding goes through encoders of our own (encoder.ts), decoding straight through protobufjs' generated functions;
 * proto-loader would convert every message a second time (fromObject, toObject). Invariants: plain camelCase objects in (enums as numbers, 64-bit integers as
 * numbers, bytes as Uint8Array; undefined and null fields are left out), plain messages out (see plain-messages.ts).
 * Nothing is validated on the way in: the types in service-types.ts are the check.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { encoderOf } from './encoder.ts';
import { PROTO_FILES } from './loader.ts';
import { NumberReader } from './number-reader.ts';
import { usePlainMessages } from './plain-messages.ts';
import type { Plain } from './service-types.ts';

export interface Codec<T> {
  readonly encode: (message: Plain<T>) => Buffer;
  /** Throws on bytes that are not this message. */
  readonly decode: (bytes: Uint8Array) => T;
}

/** Folder that holds dibs/v1/*.proto: ../ from the sources, ../../../proto from an emitted dist/proto/gen. */
export const protoRoot: string = findProtoRoot();

const root = load();

/** Codec of one message, for example `codec<Offer__Output>('dibs.v1.Offer')`. Throws on a name nobody declared. */
export function codec<T>(fullName: string): Codec<T> {
  return codecOf<T>(root.lookupType(fullName));
}

export function codecOf<T>(type: protobuf.Type): Codec<T> {
  return {
    encode: encoderOf(type) as Codec<T>['encode'],
    decode: (bytes) => type.decode(new NumberReader(asBuffer(bytes))) as unknown as T,
  };
}

/** Service by its full name, its request and response types resolved. */
export function lookupService(fullName: string): protobuf.Service {
  return root.lookupService(fullName);
}

function load(): protobuf.Root {
  const loading = new protobuf.Root();
  loading.resolvePath = (_origin, target) => {
    // protobufjs bundles the google/protobuf/*.proto; everything else is ours.
    return protobuf.common.get(target) === null ? join(protoRoot, target) : target;
  };
  loading.loadSync([...PROTO_FILES, 'google/rpc/status.proto', 'google/rpc/error_details.proto']);
  loading.resolveAll();
  usePlainMessages(loading);
  return loading;
}

function findProtoRoot(): string {
  const here = import.meta.url;
  for (const up of ['..', '../../../proto']) {
    const folder = fileURLToPath(new URL(up, here));
    if (existsSync(join(folder, 'dibs/v1/common.proto'))) return folder;
  }
  throw new Error(
    `dibs/v1/*.proto was not found near ${fileURLToPath(here)}; the installation is incomplete.`,
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
