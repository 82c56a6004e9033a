/** A worker for beanstalkd: takes jobs on some connections, and puts each result into a tube of its own before it deletes the job. */
import { outputOf } from '../support/payload.ts';
import type { JobInput } from '../support/payload.ts';
import { serveRole } from '../support/role.ts';
import { BeanstalkdConnection } from './beanstalkd-client.ts';

export interface BeanstalkdWorkerSetup {
  readonly socketPath: string;
  readonly concurrency: number;
}

await serveRole(async ({ socketPath, concurrency }: BeanstalkdWorkerSetup) => {
  const results = await BeanstalkdConnection.open(socketPath);
  await results.send('use results');
  const takers = await Promise.all(
    Array.from({ length: concurrency }, async () => {
      const taker = await BeanstalkdConnection.open(socketPath);
      await taker.send('watch jobs');
      return taker;
    }),
  );
  let stopping = false;
  for (const taker of takers) {
    taker
      .serve((body) => results.put(JSON.stringify(outputOf(JSON.parse(body) as JobInput))))
      .catch((error: unknown) => {
        if (!stopping) process.stderr.write(`beanstalkd worker: ${String(error)}\n`);
      });
  }
  return {
    stop: () => {
      stopping = true;
      for (const one of [...takers, results]) one.close();
    },
  };
});
