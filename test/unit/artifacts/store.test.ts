/** The store's rules on a real folder. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tidyName } from '../../../coordinator/artifacts/address.ts';
import { ArtifactStore } from '../../../coordinator/artifacts/store.ts';

let folder = '';
let store: ArtifactStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-artifacts-'));
  store = new ArtifactStore({ folder, maxBytes: 1_000_000, minFreeBytes: 0 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const chunks = (...parts: (string | Buffer)[]) =>
  Readable.from(parts.map((part) => Buffer.from(part as Buffer)));
const idOf = (bytes: string | Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const left = async (): Promise<string[]> => readdir(join(folder, 'incoming')).catch(() => []);
const read = async (id: string, offset?: number): Promise<string> =>
  String(await buffer((await store.get(id, offset)).bytes));

describe('put and get', () => {
  test('give back the bytes, from any offset', async () => {
    const stored = await store.put(chunks('hello ', 'world'));
    expect(stored).toEqual({ id: idOf('hello world'), size: 11 });
    expect(await read(stored.id)).toBe('hello world');
    expect(await read(stored.id, 6)).toBe('world');
    expect(await read(stored.id, 11)).toBe('');
    expect(await store.has(stored.id)).toBe(11);
    expect(await left()).toEqual([]);
  });

  test('hold for any bytes in any pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 })), fc.nat(), async (pieces, somewhere) => {
        const whole = Buffer.concat(pieces);
        const { id, size } = await store.put(Readable.from(pieces), { id: idOf(whole), size: whole.length });
        const offset = whole.length === 0 ? 0 : somewhere % whole.length;
        expect(size).toBe(whole.length);
        expect(await buffer((await store.get(id, offset)).bytes)).toEqual(whole.subarray(offset));
      }),
      { numRuns: 50 },
    );
  });

  test('an empty artifact is one too', async () => {
    expect(await read((await store.put(chunks())).id)).toBe('');
  });

  test('files are read-only and named by their hash', async () => {
    const { id } = await store.put(chunks('x'));
    const hex = id.slice(7);
    const path = join(folder, hex.slice(0, 2), hex);
    expect(await readFile(path, 'utf8')).toBe('x');
    expect((await stat(path)).mode & 0o777).toBe(0o400);
  });

  test('many at once, the same bytes among them', async () => {
    const one = randomBytes(50_000);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.put(chunks(index % 2 === 0 ? one : `other ${index}`))),
    );
    expect(new Set(results.map(({ id }) => id)).size).toBe(11);
    expect(await left()).toEqual([]);
  });
});

describe('the same bytes again', () => {
  test('write nothing, and are still checked', async () => {
    const { id } = await store.put(chunks('same'));
    const path = join(folder, id.slice(7, 9), id.slice(7));
    const before = await stat(path);
    await store.put(chunks('same'), { id });
    expect((await stat(path)).ino).toBe(before.ino);
    await expect(store.put(chunks('other'), { id })).rejects.toMatchObject({ reason: 'ARTIFACT_MISMATCH' });
    expect(await read(id)).toBe('same');
  });
});

describe('what is refused', () => {
  test.each([
    ['another id', { id: idOf('x') }, { expected: idOf('x'), actual: idOf('abc') }],
    ['too few bytes', { size: 4 }, { expected: '4', actual: '3' }],
    ['too many bytes', { size: 2 }, { expected: '2', actual: 'more than 2' }],
  ])('%s', async (_what, announced, metadata) => {
    await expect(store.put(chunks('abc'), announced)).rejects.toMatchObject({
      reason: 'ARTIFACT_MISMATCH',
      metadata,
    });
    expect(await store.has(idOf('abc'))).toBeUndefined();
    expect(await left()).toEqual([]);
  });

  test('too large: at once when announced, at the limit when not', async () => {
    await expect(store.put(chunks('x'), { size: 1_000_001 })).rejects.toMatchObject({
      reason: 'ARTIFACT_TOO_LARGE',
    });
    let taken = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        taken += 100_000;
        yield Buffer.alloc(100_000);
      }
    }
    await expect(store.put(endless())).rejects.toMatchObject({
      reason: 'ARTIFACT_TOO_LARGE',
      metadata: { max_bytes: '1000000' },
    });
    expect(taken).toBe(1_100_000);
    expect(await left()).toEqual([]);
  });

  test('a sender that breaks off leaves nothing', async () => {
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.from('half');
      throw new Error('gone');
    }
    await expect(store.put(breaking())).rejects.toThrow('gone');
    expect(await left()).toEqual([]);
  });

  test('no room left', async () => {
    const full = new ArtifactStore({ folder, minFreeBytes: Number.MAX_SAFE_INTEGER });
    await expect(full.put(chunks('x'))).rejects.toMatchObject({ reason: 'STORE_FULL', retryAfterMs: 30_000 });
  });

  test('the disk filling up during a write', async () => {
    async function* full(): AsyncGenerator<Buffer> {
      yield Buffer.from('x');
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    }
    await expect(store.put(full())).rejects.toMatchObject({ reason: 'STORE_FULL' });
    expect(await left()).toEqual([]);
  });

  test.each([
    '',
    'sha256:abc',
    `sha256:${'A'.repeat(64)}`,
    '../../etc/passwd',
    `sha256:${'0'.repeat(63)}/`,
    `sha256:${'0'.repeat(64)}\n`,
  ])('the id %j', async (id) => {
    await expect(store.get(id)).rejects.toMatchObject({ reason: 'INVALID_REQUEST' });
    await expect(store.put(chunks('x'), { id })).rejects.toMatchObject({ reason: 'INVALID_REQUEST' });
  });

  test('an unknown id, and offsets outside', async () => {
    await expect(store.get(idOf('nobody'))).rejects.toMatchObject({ reason: 'ARTIFACT_NOT_FOUND' });
    const { id } = await store.put(chunks('abc'));
    for (const offset of [4, -1, 1.5])
      await expect(store.get(id, offset)).rejects.toMatchObject({ reason: 'INVALID_REQUEST' });
  });
});

test('uploads nobody finished are removed after a day', async () => {
  await mkdir(join(folder, 'incoming'));
  for (const [name, ageHours] of [
    ['old', 25],
    ['young', 1],
  ] as const) {
    const path = join(folder, 'incoming', name);
    await writeFile(path, name);
    const at = new Date(Date.now() - ageHours * 3_600_000);
    await utimes(path, at, at);
  }
  await store.put(chunks('x'));
  expect(await left()).toEqual(['young']);
});

test.each([
  ['photo.png', 'photo.png'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\me\\a.txt', 'a.txt'],
  ['a\u0000b\n', 'ab'],
  ['x'.repeat(300), 'x'.repeat(255)],
  ['', ''],
])('the name %j becomes %j', (name, wanted) => {
  expect(tidyName(name)).toBe(wanted);
});
