/** Blobs up and down, in pieces, over lost connections. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactCorruptError, createClient, DibsError } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { FakeWorkflowServer } from '../../support/fake-workflow-server.ts';

describe('artifacts', () => {
  let server: FakeWorkflowServer;
  let client: DibsClient;
  let folder: string;
  const bytes = randomBytes(3_000_000);
  const id = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

  beforeEach(async () => {
    server = await FakeWorkflowServer.start();
    client = createClient({ address: server.address });
    folder = await mkdtemp(join(tmpdir(), 'dibs-client-'));
  });
  afterEach(async () => {
    client.close();
    server.kill();
    await rm(folder, { recursive: true });
  });

  it('stores bytes, a file and a stream alike', async () => {
    expect(await client.artifacts.put(bytes, { name: 'a.png' })).toEqual({
      $artifact: id,
      name: 'a.png',
      size: bytes.length,
      mediaType: 'image/png',
    });
    const path = join(folder, 'b.txt');
    await writeFile(path, bytes);
    expect(await client.artifacts.put(path)).toMatchObject({
      $artifact: id,
      name: 'b.txt',
      mediaType: 'text/plain',
    });
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 1_000_001);
      yield bytes.subarray(1_000_001);
    }
    expect(await client.artifacts.put(pieces(), { name: 'c' })).toMatchObject({
      $artifact: id,
      mediaType: 'application/octet-stream',
    });
  });

  it('stores nothing at all', async () => {
    const reference = await client.artifacts.put(Buffer.alloc(0), { name: 'empty' });
    expect(reference.size).toBe(0);
    expect(await buffer(client.artifacts.get(reference))).toHaveLength(0);
  });

  it('sends a file again when the coordinator is lost, and says when a stream cannot be', async () => {
    server.failNext('putArtifact', new DibsError('DRAINING', 'leaving'));
    expect(await client.artifacts.put(bytes)).toMatchObject({ $artifact: id });
    server.failNext('putArtifact', new DibsError('DRAINING', 'leaving'));
    const stream = (async function* () {
      yield bytes;
    })();
    await expect(client.artifacts.put(stream)).rejects.toMatchObject({ reason: 'DRAINING' });
  });

  it('does not read on once it is refused', async () => {
    server.failNext('putArtifact', new DibsError('ARTIFACT_TOO_LARGE', 'too large'));
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        read += 1;
        yield bytes;
      }
    }
    await expect(client.artifacts.put(endless())).rejects.toMatchObject({ reason: 'ARTIFACT_TOO_LARGE' });
    expect(read).toBeLessThan(50);
  });

  it('reads on after a lost connection and checks the whole', async () => {
    const reference = await client.artifacts.put(bytes);
    server.cutArtifactAt = 1_000_000;
    expect(Buffer.compare(await buffer(client.artifacts.get(reference)), bytes)).toBe(0);
    expect(server.calls.filter((method) => method === 'getArtifact')).toHaveLength(3);
  });

  it('downloads into place, or leaves nothing', async () => {
    await client.artifacts.put(bytes);
    const path = join(folder, 'deep/er/a.bin');
    await client.artifacts.download(id, path);
    expect(Buffer.compare(await readFile(path), bytes)).toBe(0);

    server.store.artifacts.set(id, { bytes: Buffer.from('other'), name: '', mediaType: '' });
    await expect(client.artifacts.download(id, join(folder, 'bad'))).rejects.toBeInstanceOf(
      ArtifactCorruptError,
    );
    await expect(
      client.artifacts.download(`sha256:${'0'.repeat(64)}`, join(folder, 'none')),
    ).rejects.toMatchObject({
      reason: 'ARTIFACT_NOT_FOUND',
    });
    expect(await readdir(folder)).toEqual(['deep']);
    expect(() => client.artifacts.get('nonsense')).toThrow('is not an artifact');
  });
});
