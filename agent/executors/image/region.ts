/** A part of an image, in pixels or as shares of its sides. Pure. */
import { z } from 'zod';
import { InvalidInputError } from '../../../sdk/executor/failures.ts';

export const regionSchema = z.object({
  left: z.number().min(0),
  top: z.number().min(0),
  width: z.number().positive(),
  height: z.number().positive(),
  /** Default: relative when no number is above 1, else pixels. */
  unit: z.enum(['relative', 'pixels']).optional(),
});

export interface PixelRegion {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Whole pixels. Edges are rounded, not sizes: neighbouring relative regions share their edge, so tiles
 * neither overlap nor leave a seam.
 */
export function toPixels(region: z.infer<typeof regionSchema>, width: number, height: number): PixelRegion {
  const numbers = [region.left, region.top, region.width, region.height];
  const relative = region.unit === undefined ? numbers.every((n) => n <= 1) : region.unit === 'relative';
  const [across, down] = relative ? [width, height] : [1, 1];
  const left = edge(region.left * across);
  const top = edge(region.top * down);
  const right = edge((region.left + region.width) * across);
  const bottom = edge((region.top + region.height) * down);
  if (right <= left || bottom <= top || right > width || bottom > height) {
    throw new InvalidInputError(`the region does not lie within the image of ${width} × ${height} pixels`);
  }
  return { left, top, width: right - left, height: bottom - top };
}

/** 4/6 + 1/6 and 5/6 differ in the last bit: noise must not decide which way an edge at half a pixel goes. */
function edge(pixels: number): number {
  return Math.round(Math.round(pixels * 1e6) / 1e6);
}
