/**
 * Opening and storing images for the image executors.
 *
 * Invariants:
 * 1. One thread per job and no cache: the host decides how much runs at once, and a result depends on the input only.
 * 2. What cannot be read as an image is the input's fault (INVALID_INPUT); memory running out is not.
 */
import { join, parse } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { z } from 'zod';
import type { ArtifactRef, ExecutorContext } from '../../../sdk/executor/context.ts';
import { InvalidInputError } from '../../../sdk/executor/failures.ts';
import { artifactRef } from '../artifact-schema.ts';

sharp.concurrency(1);
sharp.cache(false);

/** Largest image read or made: 16383 × 16383, the limit of sharp. */
export const MAX_PIXELS = 0x3fff * 0x3fff;

export const FORMATS = ['png', 'jpeg', 'webp', 'avif'] as const;
export type ImageFormat = (typeof FORMATS)[number];

/** What executors that make one image return. */
export const imageOutput = z.object({
  image: artifactRef,
  width: z.number(),
  height: z.number(),
});

/** For cost: about the megabytes of the file, at least a little. */
export const IMAGE_COST = 'max(0.1, (input.image.size ?? 0) / 1e6)';

export interface OpenImage {
  readonly pixels: Sharp;
  /** As seen: after the orientation the camera noted. */
  readonly width: number;
  readonly height: number;
}

export async function openImage(reference: ArtifactRef, { artifacts }: ExecutorContext): Promise<OpenImage> {
  const path = await artifacts.get(reference);
  const pixels = sharp(path, { autoOrient: true, limitInputPixels: MAX_PIXELS });
  try {
    const { autoOrient } = await pixels.metadata();
    return { pixels, width: autoOrient.width, height: autoOrient.height };
  } catch (error) {
    throw unreadable(reference, error);
  }
}

/** Runs the pipeline and stores its result. */
export async function storeImage(
  pixels: Sharp,
  { source, name, format }: { source: ArtifactRef; name: string; format: ImageFormat },
  { workdir, artifacts, signal }: ExecutorContext,
): Promise<z.infer<typeof imageOutput>> {
  signal.throwIfAborted();
  const path = join(workdir, `out.${format}`);
  try {
    // JPEG has no transparency: what shows through is white, not black.
    const opaque = format === 'jpeg' ? pixels.flatten({ background: '#ffffff' }) : pixels;
    const { width, height } = await opaque.toFormat(format).toFile(path);
    signal.throwIfAborted();
    return { image: await artifacts.put(path, { name, mediaType: `image/${format}` }), width, height };
  } catch (error) {
    throw unreadable(source, error);
  }
}

/** `photo.jpg` → `photo-x2.png` */
export function nameAfter(source: ArtifactRef, suffix: string, format: ImageFormat): string {
  const stem = parse(source.name).name;
  return `${stem === '' ? 'image' : stem}-${suffix}.${format === 'jpeg' ? 'jpg' : format}`;
}

/** libvips says in words what it could not read; everything else is passed on as it is. */
function unreadable(reference: ArtifactRef, error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  if (
    !/^Input (file|buffer|image)|unsupported image format|corrupt|premature end|bad seek|load: /i.test(
      message,
    )
  )
    return error;
  return new InvalidInputError(`${reference.name || reference.$artifact} is no readable image: ${message}`, {
    cause: error,
  });
}
