/** Puts images on one contact sheet: the last step of a fan-out over images. */
import sharp, { type OverlayOptions } from 'sharp';
import { z } from 'zod';
import { defineExecutor } from '../../../sdk/executor/define.ts';
import { InvalidInputError } from '../../../sdk/executor/failures.ts';
import { artifactRef } from '../artifact-schema.ts';
import { imageOutput, MAX_PIXELS, openImage, storeImage } from './image-file.ts';
import { labelSvg, layOut } from './sheet-layout.ts';

const LABEL_HEIGHT = 28;

export const imageMontage = defineExecutor({
  type: 'image.montage',
  description: 'Puts images on one contact sheet (PNG).',
  input: z.object({
    /** References, or outputs of image executors. */
    images: z
      .array(z.union([artifactRef, z.object({ image: artifactRef }).transform(({ image }) => image)]))
      .min(1)
      .max(1000),
    /** Default: about a square. */
    columns: z.number().int().min(1).max(1000).optional(),
    tileWidth: z.number().int().min(1).max(4096).default(256),
    /** Default: the shape of the first image. */
    tileHeight: z.number().int().min(1).max(4096).optional(),
    gap: z.number().int().min(0).max(256).default(8),
    background: z
      .string()
      .regex(/^#[0-9a-fA-F]{6}$/)
      .default('#ffffff'),
    /** One line below each tile, in the order of the images. */
    labels: z.array(z.string().max(200)).optional(),
  }),
  output: imageOutput.extend({ columns: z.number(), count: z.number() }),
  deterministic: true,
  cost: 'max(0.1, length(input.images) / 10)',
  async run({ images, tileWidth, gap, background, labels, ...wanted }, context) {
    const first = images[0] as (typeof images)[number];
    const { width, height } = await openImage(first, context);
    const tileHeight = wanted.tileHeight ?? Math.max(1, Math.round((tileWidth * height) / width));
    const columns = wanted.columns ?? Math.ceil(Math.sqrt(images.length));
    const labelHeight = labels === undefined ? 0 : LABEL_HEIGHT;
    const sheet = layOut({ count: images.length, columns, tileWidth, tileHeight, gap, labelHeight });
    if (sheet.width * sheet.height > MAX_PIXELS)
      throw new InvalidInputError('the sheet would have too many pixels');

    const overlays: OverlayOptions[] = [];
    for (const [index, image] of images.entries()) {
      context.signal.throwIfAborted();
      const place = sheet.places[index] as (typeof sheet.places)[number];
      const { pixels } = await openImage(image, context);
      const tile = await pixels
        .resize({ width: tileWidth, height: tileHeight, fit: 'contain', background })
        .png()
        .toBuffer();
      overlays.push({ input: tile, ...place });
      const label = labels?.[index];
      if (label !== undefined && label !== '') {
        const svg = labelSvg(label, tileWidth, labelHeight);
        overlays.push({ input: Buffer.from(svg), left: place.left, top: place.top + tileHeight });
      }
      context.progress((0.9 * (index + 1)) / images.length, `image ${index + 1} of ${images.length}`);
    }
    const canvas = sharp({ create: { width: sheet.width, height: sheet.height, channels: 3, background } });
    const stored = await storeImage(
      canvas.composite(overlays),
      { source: first, name: 'montage.png', format: 'png' },
      context,
    );
    return { ...stored, columns: Math.min(columns, images.length), count: images.length };
  },
});
