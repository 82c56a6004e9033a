/** The two workflows of the demo. Both are fan-outs whose width the next step need not know. */
import { args, ref } from '../../sdk/client/index.ts';
import type { ArtifactReference, WorkflowInput } from '../../sdk/client/index.ts';

const COLUMNS = 4;
const ROWS = 2;

/** Eight regions of the photo, enlarged by whoever can, on one contact sheet. */
export function photoWorkflow(photo: ArtifactReference, factor: number): WorkflowInput {
  const regions = Array.from({ length: COLUMNS * ROWS }, (_, index) => ({
    left: (index % COLUMNS) / COLUMNS,
    top: Math.floor(index / COLUMNS) / ROWS,
    width: 1 / COLUMNS,
    height: 1 / ROWS,
    unit: 'relative',
  }));
  return {
    name: 'photo',
    tags: ['demo'],
    arguments: { photo, factor },
    steps: [
      {
        name: 'enlarge',
        type: 'image.upscale',
        forEach: { items: regions, as: 'region' },
        input: { image: args('photo'), factor: args('factor'), region: ref('region') },
        retries: 1,
      },
      {
        name: 'sheet',
        type: 'image.montage',
        input: {
          images: ref('enlarge', 'output.items'),
          columns: COLUMNS,
          tileWidth: 480,
          gap: 6,
          labels: regions.map((_, index) => `part ${index + 1}, ${factor}x`),
        },
        retries: 1,
      },
    ],
  };
}

/** Map and reduce over a text. */
export function textWorkflow(text: ArtifactReference, parts: number): WorkflowInput {
  return {
    name: 'text',
    tags: ['demo'],
    arguments: { text, parts },
    steps: [
      { name: 'split', type: 'text.split', input: { text: args('text'), parts: args('parts') }, retries: 1 },
      {
        name: 'count',
        type: 'text.count',
        forEach: { items: ref('split', 'output.chunks'), as: 'part' },
        input: { text: ref('part') },
        retries: 1,
      },
      { name: 'merge', type: 'text.merge', input: { parts: ref('count', 'output.items') }, retries: 1 },
    ],
  };
}
