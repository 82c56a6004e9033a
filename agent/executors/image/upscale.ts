/** Enlarges an image, or one region of it: tiles of one picture may be enlarged by many agents at once. */
import { z } from 'zod';
import { defineExecutor } from '../../../sdk/executor/define.ts';
import { InvalidInputError } from '../../../sdk/executor/failures.ts';
import { artifactRef } from '../artifact-schema.ts';
import { FORMATS, imageOutput, MAX_PIXELS, nameAfter, openImage, storeImage } from './image-file.ts';
import { regionSchema, toPixels } from './region.ts';

export const imageUpscale = defineExecutor({
  type: 'image.upscale',
  description: 'Enlarges an image, or one region of it, by a factor.',
  input: z.object({
    image: artifactRef,
    factor: z.number().min(2).max(8),
    region: regionSchema.optional(),
    kernel: z.enum(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3']).default('lanczos3'),
    format: z.enum(FORMATS).default('png'),
  }),
  output: imageOutput,
  deterministic: true,
  cost: 'max(0.1, (input.image.size ?? 0) / 1e6) * input.factor * input.factor',
  async run({ image, factor, region, kernel, format }, context) {
    const opened = await openImage(image, context);
    const part =
      region === undefined ? { left: 0, top: 0, ...opened } : toPixels(region, opened.width, opened.height);
    const width = Math.round(part.width * factor);
    const height = Math.round(part.height * factor);
    if (width * height > MAX_PIXELS)
      throw new InvalidInputError(`${width} × ${height} pixels are more than ${MAX_PIXELS}`);
    context.progress(0.1, 'opened');
    const { left, top } = part;
    const enlarged = opened.pixels
      .extract({ left, top, width: part.width, height: part.height })
      .resize({ width, height, fit: 'fill', kernel });
    return storeImage(
      enlarged,
      { source: image, name: nameAfter(image, `x${factor}`, format), format },
      context,
    );
  },
});
