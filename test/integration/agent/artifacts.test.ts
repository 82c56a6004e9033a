/** Artifacts between executors and the coordinator, by way of the local cache. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CoordinatorArtifacts } from '../../../agent/link/artifacts.ts';
import { BlobCache } from '../../../agent/link/blob-cache.ts';
import type { FakeCoordinator } from '../../support/fake-coordinator.ts';
import { startCoordinator, tempFolder } from './support/rig.ts';

const idOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const reference = (id: string): { $artifact: string; name: string; size: number; mediaType: string } => ({
  $artifact: id,
  name: 'x',
  size: 0,
  mediaType: '',
});

async function* once(bytes: Buffer): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function start(): Promise<{
  coordinator: FakeCoordinator;
  artifacts: CoordinatorArtifacts;
  folder: string;
}> {
  const [coordinator, folder] = [await startCoordinator(), await tempFolder()];
  const artifacts = new CoordinatorArtifacts({
    address: () => coordinator.address,
    credentials: credentials.createInsecure(),
    token: () => '',
    cache: new BlobCache({ folder: join(folder, 'cache'), maxBytes: 1_000_000 }),
  });
  onTestFinished(() => artifacts.close());
  return { coordinator, artifacts, folder };
}

describe('artifacts', () => {
  it('are fetched once, checked, and read-only', async () => {
    const { coordinator, artifacts } = await start();
    const bytes = randomBytes(300_000);
    coordinator.blobs.set(idOf(bytes), bytes);
    const [one, two] = await Promise.all([
      artifacts.fetch(reference(idOf(bytes))),
      artifacts.fetch(reference(idOf(bytes))),
    ]);
    expect(one).toBe(two);
    expect((await readFile(one)).equals(bytes)).toBe(true);
    expect((await stat(one)).mode & 0o222).toBe(0);
    coordinator.blobs.clear();
    expect(await artifacts.fetch(reference(idOf(bytes)))).toBe(one);
  });

  it('whose bytes are not theirs are refused and not kept', async () => {
    const { coordinator, artifacts } = await start();
    const id = idOf(Buffer.from('wanted'));
    coordinator.blobs.set(id, Buffer.from('something else'));
    await expect(artifacts.fetch(reference(id))).rejects.toThrow('hash to');
    coordinator.blobs.set(id, Buffer.from('wanted'));
    expect(await readFile(await artifacts.fetch(reference(id)), 'utf8')).toBe('wanted');
  });

  it('that nobody has, or that are none, fail', async () => {
    const { artifacts } = await start();
    await expect(artifacts.fetch(reference(idOf(Buffer.from('nowhere'))))).rejects.toThrow(
      'no such artifact',
    );
    await expect(artifacts.fetch(reference('sha256:../../etc/passwd'))).rejects.toThrow('not an artifact id');
  });

  it('are stored with their hash and name, and are then in the cache', async () => {
    const { coordinator, artifacts, folder } = await start();
    const bytes = randomBytes(1_500_000);
    const path = join(folder, 'result.bin');
    await writeFile(path, bytes);
    const stored = await artifacts.store(path, { mediaType: 'application/x-test' });
    expect(stored).toEqual({
      $artifact: idOf(bytes),
      name: 'result.bin',
      size: bytes.length,
      mediaType: 'application/x-test',
    });
    expect(coordinator.blobs.get(idOf(bytes))?.equals(bytes)).toBe(true);
    coordinator.stop();
    expect((await readFile(await artifacts.fetch(stored))).equals(bytes)).toBe(true);
  });
});

describe('the cache', () => {
  it('drops the least recently used above its size, but nothing that was just used', async () => {
    const folder = await tempFolder();
    const cache = new BlobCache({ folder, maxBytes: 250 });
    const blobs = ['a', 'b', 'c', 'd'].map((letter) => Buffer.from(letter.repeat(100)));
    const paths = [];
    for (const bytes of blobs) paths.push(await cache.add(idOf(bytes), once(bytes)));
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(paths[1] as string, longAgo, new Date(Date.now() - 3_700_000));
    await utimes(paths[2] as string, longAgo, longAgo);
    expect(await cache.trim()).toBe(200);
    const left = await Promise.all(blobs.map((bytes) => cache.find(idOf(bytes))));
    expect(left.map((path) => path !== undefined)).toEqual([true, false, false, true]);
    // Still above the limit, but the rest was used just now.
    expect(await new BlobCache({ folder, maxBytes: 50 }).trim()).toBe(200);
  });
});
