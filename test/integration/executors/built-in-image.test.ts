/** The image executors on real files made here. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import type { ArtifactReference } from '../../../agent/jobs/contract.ts';
import { openBench, type Bench } from './harness.ts';

let bench: Bench;
let picture: ArtifactReference;
beforeAll(async () => {
  const types = ['image.resize', 'image.upscale', 'image.montage'];
  bench = await openBench(types.map((type) => BUILT_IN_EXECUTORS[type]?.module ?? ''));
  picture = await gradient('photo.png', 64, 48);
});
afterAll(() => bench[Symbol.asyncDispose]());

async function gradient(name: string, width: number, height: number): Promise<ArtifactReference> {
  const raw = Buffer.from(
    Array.from({ length: width * height }, (_, i) => [(i % width) * 4, Math.floor(i / width) * 5, 128])
      .flat()
      .map((v) => v % 256),
  );
  const path = join(bench.folder, name);
  await sharp(raw, { raw: { width, height, channels: 3 } }).toFile(path);
  return bench.artifacts.store(path, { name, mediaType: 'image/png' });
}

interface Output {
  readonly image: ArtifactReference;
  readonly width: number;
  readonly height: number;
}

const output = async (type: string, input: unknown): Promise<Output> => {
  const result = await bench.run(type, input).done;
  expect(result).toMatchObject({ verdict: 'succeeded', message: '' });
  return JSON.parse(result.outputJson) as Output;
};
const pixels = async (image: ArtifactReference): Promise<Buffer> =>
  sharp(await bench.artifacts.fetch(image))
    .removeAlpha()
    .raw()
    .toBuffer();

describe('image.resize', () => {
  it('keeps the shape where one side is given', async () => {
    const made = await output('image.resize', { image: picture, width: 32 });
    expect(made).toMatchObject({
      width: 32,
      height: 24,
      image: { name: 'photo-32x.png', mediaType: 'image/png' },
    });
    expect(await sharp(await bench.artifacts.fetch(made.image)).metadata()).toMatchObject({
      format: 'png',
      width: 32,
      height: 24,
    });
  });

  it('changes the format', async () => {
    const made = await output('image.resize', {
      image: picture,
      width: 20,
      height: 20,
      fit: 'fill',
      format: 'jpeg',
    });
    expect(made).toMatchObject({
      width: 20,
      height: 20,
      image: { name: 'photo-20x20.jpg', mediaType: 'image/jpeg' },
    });
  });

  it('is deterministic', async () => {
    const input = { image: picture, height: 33 };
    expect(await output('image.resize', input)).toEqual(await output('image.resize', input));
  });

  it('refuses what is no image, no size, no artifact', async () => {
    const path = join(bench.folder, 'text.png');
    await writeFile(path, 'this is no picture');
    const text = await bench.artifacts.store(path, {});
    const refused = async (input: unknown) => (await bench.run('image.resize', input).done).reason;
    expect(await refused({ image: text, width: 5 })).toBe('INVALID_INPUT');
    expect(await refused({ image: picture })).toBe('INVALID_INPUT');
    expect(await refused({ image: { $artifact: 'x' }, width: 5 })).toBe('INVALID_INPUT');
    expect(await refused({ image: { ...picture, $artifact: `sha256:${'0'.repeat(64)}` }, width: 5 })).toBe(
      'RESOURCE_ERROR',
    );
  });
});

describe('image.upscale', () => {
  it('enlarges by the factor', async () => {
    expect(await output('image.upscale', { image: picture, factor: 3 })).toMatchObject({
      ...{ width: 192, height: 144, image: { name: 'photo-x3.png' } },
    });
  });

  it('tiles enlarged apart are the picture enlarged at once', async () => {
    const more = { image: picture, factor: 2, kernel: 'nearest' };
    const whole = await pixels((await output('image.upscale', more)).image);
    const tiles = await Promise.all(
      [0, 1, 2].map((i) =>
        output('image.upscale', { ...more, region: { left: 0, top: i / 3, width: 1, height: 1 / 3 } }),
      ),
    );
    const joined = Buffer.concat(await Promise.all(tiles.map((tile) => pixels(tile.image))));
    expect(joined.equals(whole)).toBe(true);
  });

  it('refuses regions and sizes out of bounds', async () => {
    const region = { left: 60, top: 0, width: 10, height: 10 };
    expect(await bench.run('image.upscale', { image: picture, factor: 2, region }).done).toMatchObject({
      ...{ verdict: 'fatal', reason: 'INVALID_INPUT', message: expect.stringContaining('64 × 48') },
    });
    expect(await bench.run('image.upscale', { image: picture, factor: 9 }).done).toMatchObject({
      reason: 'INVALID_INPUT',
    });
  });
});

describe('image.montage', () => {
  it('puts images and outputs on one sheet', async () => {
    const other = await output('image.resize', { image: picture, width: 16 });
    const made = await output('image.montage', {
      ...{ images: [picture, other, picture], columns: 2, tileWidth: 32, gap: 4, background: '#102030' },
    });
    expect(made).toMatchObject({
      width: 76,
      height: 60,
      columns: 2,
      count: 3,
      image: { mediaType: 'image/png' },
    });
    const sheet = await pixels(made.image);
    const at = (x: number, y: number) => [...sheet.subarray((y * 76 + x) * 3, (y * 76 + x) * 3 + 3)];
    expect(at(0, 0)).toEqual([0x10, 0x20, 0x30]);
    expect(at(70, 50)).toEqual([0x10, 0x20, 0x30]);
    expect(at(10, 10)).not.toEqual([0x10, 0x20, 0x30]);
  });

  it('draws labels below the tiles', async () => {
    const options = { images: [picture], tileWidth: 64, gap: 0 };
    const plain = await output('image.montage', options);
    const labelled = await output('image.montage', { ...options, labels: ['<Ada & Bob>'] });
    expect([plain.height, labelled.height]).toEqual([48, 76]);
    const label = (await pixels(labelled.image)).subarray(64 * 48 * 3);
    expect(new Set(label).size).toBeGreaterThan(1);
  });
});
