/**
 * The shortest way: submit, wait, take the output.
 *
 * Run `dibs dev` in one terminal and `node examples/submit-and-wait.ts` in another.
 */
import { createClient, ref, WorkflowFailedError } from 'dibs/sdk/client';

const client = createClient();
try {
  const output = await client.submitAndGetOutput(
    {
      name: 'greeting',
      steps: [
        { name: 'facts', type: 'value.echo', input: { planet: 'Earth', moons: ['Luna'] } },
        // A reference wires the two steps: "greet" starts the moment "facts" has its output.
        { name: 'greet', type: 'value.echo', input: { hello: ref('facts', 'output.moons[0]') } },
      ],
    },
    { timeoutMs: 30_000 },
  );
  console.log(JSON.stringify(output));
} catch (error) {
  if (!(error instanceof WorkflowFailedError)) throw error;
  console.error(`It failed at step ${error.failedStep}: ${error.reason}`);
  process.exitCode = 1;
} finally {
  client.close();
}
