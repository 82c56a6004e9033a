/** The submitter for beanstalkd: puts jobs ahead of the answers, and takes their results from the tube the workers put them into. */
import { inputOf } from '../support/payload.ts';
import type { JobOutput } from '../support/payload.ts';
import { serveRole } from '../support/role.ts';
import { Tally } from '../support/tally.ts';
import type { RoundAsk } from '../support/tally.ts';
import { BeanstalkdConnection } from './beanstalkd-client.ts';

export interface BeanstalkdProducerSetup {
  readonly socketPath: string;
  /** Connections that take results. */
  readonly takers: number;
}

const BULK = 1000;

await serveRole(async ({ socketPath, takers: count }: BeanstalkdProducerSetup) => {
  const jobs = await BeanstalkdConnection.open(socketPath);
  await jobs.send('use jobs');
  let tally: Tally | undefined;
  let stopping = false;
  const takers = await Promise.all(
    Array.from({ length: count }, async () => {
      const taker = await BeanstalkdConnection.open(socketPath);
      await taker.send('watch results');
      taker
        .serve((body) => {
          const output = JSON.parse(body) as JobOutput;
          tally?.saw(output.n, () => output);
        })
        .catch((error: unknown) => {
          if (!stopping) tally?.fail(String(error));
        });
      return taker;
    }),
  );
  const round = (ask: RoundAsk): Promise<unknown> => {
    const counting = new Tally(ask);
    tally = counting;
    counting.done.catch(() => {});
    const submit = async (): Promise<void> => {
      for (let sent = 0; sent < ask.jobs;) {
        const size = Math.min(BULK, ask.jobs - sent);
        await counting.whenCompleted(sent + size - ask.window);
        const first = ask.first + sent;
        await Promise.all(
          Array.from({ length: size }, (_, i) => jobs.put(JSON.stringify(inputOf(first + i)))),
        );
        sent += size;
      }
    };
    submit().catch((error: unknown) => counting.fail(`put: ${String(error)}`));
    return counting.done;
  };
  return {
    commands: { round },
    stop: () => {
      stopping = true;
      for (const one of [...takers, jobs]) one.close();
    },
  };
});
