/** The zod shape of an artifact reference, as built-in executors take it. */
import { z } from 'zod';

export const artifactRef = z.object({
  $artifact: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  name: z.string().default(''),
  /** 0 = not known. */
  size: z.number().int().min(0).default(0),
  mediaType: z.string().default(''),
});
