/** The files the demo works on: the caller's own, or samples made on the spot and left with the results. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { drawLandscape } from './landscape.ts';
import { longText } from './long-text.ts';
import type { DemoOptions } from './options.ts';

const PHOTO = { width: 1_600, height: 1_067 };
const TEXT_BYTES = 6 * 1024 * 1024;

export interface Samples {
  readonly photo: string;
  readonly text: string;
}

export async function prepareSamples({ image, text, out }: DemoOptions): Promise<Samples> {
  await mkdir(out, { recursive: true });
  return {
    photo: image ?? (await drawPhoto(join(out, 'sample-photo.jpg'))),
    text: text ?? (await writeText(join(out, 'sample-text.txt'))),
  };
}

async function drawPhoto(path: string): Promise<string> {
  const { data, width, height } = drawLandscape(PHOTO.width, PHOTO.height);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 92 })
    .toFile(path);
  return path;
}

async function writeText(path: string): Promise<string> {
  await writeFile(path, longText(TEXT_BYTES));
  return path;
}
