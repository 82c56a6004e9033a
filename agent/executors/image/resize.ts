/** Makes an image another size, optionally in another format. */
import { z } from 'zod';
import { defineExecutor } from '../../../sdk/executor/define.ts';
import { artifactRef } from '../artifact-schema.ts';
import { FORMATS, IMAGE_COST, imageOutput, nameAfter, openImage, storeImage } from './image-file.ts';

const side = z.number().int().min(1).max(16_383);

export const imageResize = defineExecutor({
  type: 'image.resize',
  description: 'Makes an image another size, optionally in another format.',
  input: z
    .object({
      image: artifactRef,
      /** One of them may be left out: the image keeps its shape. */
      width: side.optional(),
      height: side.optional(),
      fit: z.enum(['cover', 'contain', 'fill', 'inside', 'outside']).default('inside'),
      format: z.enum(FORMATS).default('png'),
    })
    .refine(({ width, height }) => width !== undefined || height !== undefined, 'needs a width or a height'),
  output: imageOutput,
  deterministic: true,
  cost: IMAGE_COST,
  async run({ image, width, height, fit, format }, context) {
    const { pixels } = await openImage(image, context);
    context.progress(0.1, 'opened');
    const resized = pixels.resize({ width, height, fit });
    return storeImage(
      resized,
      { source: image, name: nameAfter(image, `${width ?? ''}x${height ?? ''}`, format), format },
      context,
    );
  },
});
