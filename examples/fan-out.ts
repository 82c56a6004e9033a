/**
 * A fan-out: split a text, count every part on whichever agent claims it, add up the counts.
 *
 * Run `dibs dev --agents 2` in one terminal and `node examples/fan-out.ts [file] [parts]` in another.
 */
import { args, createClient, ref } from 'dibs/sdk/client';

const [file = import.meta.filename, parts = '4'] = process.argv.slice(2);

const client = createClient();
try {
  const text = await client.artifacts.put(file);
  const outputs = await client.submitAndGetOutputs({
    name: 'word count',
    arguments: { text, parts: Number(parts) },
    steps: [
      { name: 'split', type: 'text.split', input: { text: args('text'), parts: args('parts') } },
      {
        name: 'count',
        type: 'text.count',
        // One job for each part. Their number is known only once "split" is done.
        forEach: { items: ref('split', 'output.chunks'), as: 'part' },
        input: { text: ref('part') },
        retries: 2,
      },
      { name: 'merge', type: 'text.merge', input: { parts: ref('count', 'output.items') } },
    ],
  });
  const { words, lines } = outputs['merge'] as { words: number; lines: number };
  const { count } = outputs['split'] as { count: number };
  console.log(JSON.stringify({ words, lines, parts: count }));
} finally {
  client.close();
}
