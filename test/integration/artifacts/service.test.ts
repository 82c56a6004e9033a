/** ArtifactService on a real server and a real channel. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactHandlers } from '../../../coordinator/artifacts/handlers.ts';
import { ArtifactStore } from '../../../coordinator/artifacts/store.ts';
import type {
  GetArtifactResponse__Output,
  PutArtifactRequest__Output,
  PutArtifactResponse__Output,
} from '../../../proto/gen/index.ts';
import { artifactService, makeClient } from '../../../proto/gen/load.ts';
import type { ArtifactClient, Plain } from '../../../proto/gen/load.ts';
import { requireToken, tokenCheck } from '../../../runtime/auth.ts';
import { fromServiceError } from '../../../runtime/grpc-errors.ts';
import { clientOptions, serverOptions } from '../../../runtime/grpc-options.ts';
import { until } from '../../support/until.ts';

const server = new grpc.Server(serverOptions);
const logged: unknown[] = [];
let folder = '';
let client: ArtifactClient;
let store: CountingStore;
const metadata = new grpc.Metadata();
metadata.set('authorization', 'Bearer right');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-artifacts-'));
  const check = tokenCheck('right');
  const frame = {
    authenticate: (sent: grpc.Metadata) => requireToken(sent, check),
    log: { error: (fields: object) => void logged.push(fields) },
  };
  store = new CountingStore({ folder, maxBytes: 50_000_000, minFreeBytes: 0 });
  server.addService(artifactService, artifactHandlers({ frame, store }));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  client = makeClient(artifactService, `127.0.0.1:${port}`, grpc.credentials.createInsecure(), clientOptions);
});
afterAll(async () => {
  client.close();
  server.forceShutdown();
  await rm(folder, { recursive: true, force: true });
});

function put(
  messages: readonly Plain<PutArtifactRequest__Output>[],
  sent = metadata,
): Promise<PutArtifactResponse__Output> {
  return new Promise((resolve, reject) => {
    const call = client.putArtifact(sent, (error, response) =>
      error === null ? resolve(response as PutArtifactResponse__Output) : reject(fromServiceError(error)),
    );
    for (const message of messages) call.write(message);
    call.end();
  });
}

async function get(id: string, offset = 0, sent = metadata): Promise<GetArtifactResponse__Output[]> {
  const messages: GetArtifactResponse__Output[] = [];
  try {
    for await (const message of client.getArtifact({ id, offset }, sent))
      messages.push(message as GetArtifactResponse__Output);
  } catch (error) {
    throw fromServiceError(error);
  }
  return messages;
}

const idOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

test('what is put is got, in chunks of 256 KiB, with the reference first', async () => {
  const bytes = randomBytes(1_000_000);
  const { ref } = await put([
    {
      ref: { name: 'dir/photo.png', mediaType: 'image/png', size: bytes.length },
      data: bytes.subarray(0, 10),
    },
    { data: bytes.subarray(10) },
  ]);
  expect(ref).toEqual({ id: idOf(bytes), size: bytes.length, name: 'photo.png', mediaType: 'image/png' });
  const messages = await get(idOf(bytes));
  expect(messages.map(({ ref, data }) => [ref?.size, data.length])).toEqual([
    [1_000_000, 262_144],
    [undefined, 262_144],
    [undefined, 262_144],
    [undefined, 213_568],
  ]);
  expect(Buffer.concat(messages.map(({ data }) => data))).toEqual(bytes);
  expect(Buffer.concat((await get(idOf(bytes), 999_990)).map(({ data }) => data))).toEqual(
    bytes.subarray(999_990),
  );
});

test('an empty artifact has its reference', async () => {
  const { ref } = await put([{ ref: { name: 'empty' } }]);
  expect(await get(ref?.id ?? '')).toMatchObject([{ ref: { size: 0 } }]);
});

describe('refused', () => {
  test.each([
    ['without a reference', [{ data: Buffer.from('x') }], 'PROTOCOL_VIOLATION'],
    ['without any message', [], 'PROTOCOL_VIOLATION'],
    ['with two references', [{ ref: { name: 'a' } }, { ref: { name: 'b' } }], 'PROTOCOL_VIOLATION'],
    [
      'with too much in one message',
      [{ ref: { name: 'a' } }, { data: Buffer.alloc(1024 * 1024 + 1) }],
      'PROTOCOL_VIOLATION',
    ],
    [
      'with other bytes than announced',
      [{ ref: { size: 2 } }, { data: Buffer.from('x') }],
      'ARTIFACT_MISMATCH',
    ],
    ['with more than the store takes', [{ ref: { size: 60_000_000 } }], 'ARTIFACT_TOO_LARGE'],
    ['with a wrong id', [{ ref: { id: 'x' } }], 'INVALID_REQUEST'],
  ])('an upload %s', async (_what, messages, reason) => {
    await expect(put(messages)).rejects.toMatchObject({ reason });
  });

  test('callers without the token', async () => {
    await expect(put([{ ref: { name: 'a' } }], new grpc.Metadata())).rejects.toMatchObject({
      reason: 'UNAUTHENTICATED',
    });
    await expect(get(idOf(Buffer.alloc(0)), 0, new grpc.Metadata())).rejects.toMatchObject({
      reason: 'UNAUTHENTICATED',
    });
  });

  test('reading what is not there', async () => {
    await expect(get(idOf(Buffer.from('nobody')))).rejects.toMatchObject({
      reason: 'ARTIFACT_NOT_FOUND',
      code: grpc.status.NOT_FOUND,
    });
  });
});

test.each(Array.from({ length: 20 }, (_, index) => index))(
  'an upload whose caller leaves is dropped (%i)',
  async () => {
    const call = client.putArtifact(metadata, () => undefined);
    call.on('error', () => undefined);
    call.write({ ref: { name: 'half' }, data: Buffer.from('half of it') });
    await until('the upload to begin', async () => (await readdir(join(folder, 'incoming'))).length === 1);
    call.cancel();
    await until(
      'the upload to be dropped',
      async () => (await readdir(join(folder, 'incoming'))).length === 0,
    );
    await expect(get(idOf(Buffer.from('half of it')))).rejects.toMatchObject({
      reason: 'ARTIFACT_NOT_FOUND',
    });
  },
);

test('a reader that does not read is not read ahead for', async () => {
  const bytes = randomBytes(40_000_000);
  const id = idOf(bytes);
  await put([{ ref: { name: 'large', size: bytes.length } }, ...pieces(bytes)]);
  store.sent = 0;
  const call = client.getArtifact({ id }, metadata);
  const messages = call[Symbol.asyncIterator]();
  await messages.next();
  let before = -1;
  await until(
    'the server to wait',
    () => {
      const waits = store.sent === before;
      before = store.sent;
      return waits;
    },
    { everyMs: 50 },
  );
  // Windows and buffers of the channel hold a few MiB.
  expect(store.sent).toBeLessThan(20_000_000);
  call.on('error', () => undefined);
  call.cancel();
  expect(logged).toEqual([]);
});

/** Counts what was read from the disk. */
class CountingStore extends ArtifactStore {
  sent = 0;

  override async get(id: string, offset?: number): ReturnType<ArtifactStore['get']> {
    const found = await super.get(id, offset);
    const counted = async function* (this: CountingStore): AsyncGenerator<Buffer> {
      for await (const chunk of found.bytes) {
        this.sent += chunk.length;
        yield chunk;
      }
    };
    return { ...found, bytes: counted.call(this) };
  }
}

function pieces(bytes: Buffer): Plain<PutArtifactRequest__Output>[] {
  const messages: Plain<PutArtifactRequest__Output>[] = [];
  for (let at = 0; at < bytes.length; at += 1024 * 1024)
    messages.push({ data: bytes.subarray(at, at + 1024 * 1024) });
  return messages;
}
