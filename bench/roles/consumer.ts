/**
 * A consumer as a process of its own: submits the workflows of a scenario over one stream and takes their results.
 *
 * It keeps `window` workflows under way, and asks for the result in one promise with the submit.
 */
import { createClient, readResult } from '../../sdk/client/index.ts';
import type { SubmitStream, TerminalResult } from '../../sdk/client/index.ts';
import { State } from '../../sdk/common/states.ts';
import { timeEach } from '../support/latency.ts';
import type { Started } from '../support/latency.ts';
import { serveRole } from '../support/role.ts';
import { Tally } from '../support/tally.ts';
import type { RoundAsk } from '../support/tally.ts';
import type { WorkloadName } from '../throughput/workloads.ts';
import { outputOfFlow, workflowOf } from './flows.ts';

export interface ConsumerSetup {
  readonly coordinator: string;
  readonly workload: WorkloadName;
}

await serveRole(async ({ coordinator, workload }: ConsumerSetup) => {
  const client = createClient({ address: coordinator });
  const stream = client.openSubmitStream();
  return {
    commands: {
      round: (ask: RoundAsk) => round(stream, workload, ask),
      dispatch: (count: number) =>
        timeEach(count, async () => {
          const result = await stream.run({ steps: [{ type: 'bench.clock', input: {} }] });
          return readResult(result).steps[0]?.output as unknown as Started;
        }),
    },
    stop: () => {
      stream.close();
      client.close();
    },
  };
});

function round(stream: SubmitStream, workload: WorkloadName, ask: RoundAsk): Promise<unknown> {
  const tally = new Tally(ask);
  const end = ask.first + ask.jobs;
  let next = ask.first;
  const submit = (n: number): void => {
    stream.run(workflowOf(workload, n), { requestId: `${workload}-${n}` }).then(
      (result) => {
        const { state } = result;
        if (state === State.succeeded) tally.saw(n, () => outputOfFlow(workload, n, readResult(result)));
        else tally.fail(`job ${n} ended as ${explain(result)}`);
        if (next < end) submit(next++);
      },
      (error: unknown) => tally.fail(`job ${n} was refused: ${String(error)}`),
    );
  };
  while (next < end && next - ask.first < ask.window) submit(next++);
  return tally.done;
}

function explain(result: TerminalResult): string {
  return `${result.state} ${result.outcome?.reason ?? ''} ${result.outcome?.message ?? ''}`;
}
