/**
 * Follows a workflow event by event. The loop outlives lost connections and coordinators; a stored cursor outlives you.
 *
 * Run `dibs dev` in one terminal and `node examples/watch.ts` in another.
 */
import { createClient, WorkflowProgress } from 'dibs/sdk/client';

const client = createClient();
try {
  const { workflow } = await client.submit({
    name: 'ten echoes',
    steps: [{ name: 'echoes', type: 'value.echo', forEach: { items: 10 }, input: { n: { $ref: 'item' } } }],
  });

  const progress = new WorkflowProgress(workflow);
  for await (const event of client.watch(workflow.id)) {
    progress.apply(event);
    if (event.type === 'resync') continue;
    console.log(`${event.sequence} ${event.type} ${event.jobId ?? event.step ?? ''}`);
  }
  for (const { name, succeeded, total } of progress.steps)
    console.log(`${name}: ${succeeded} of ${total} jobs`);
} finally {
  client.close();
}
