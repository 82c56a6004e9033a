/** A coordinator that stops reading: what waits, what is dropped, and what never is. */
import { expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { startAgent, startCoordinator } from './support/rig.ts';
import { ECHO } from './support/scripted-host.ts';

it('results wait for a slow coordinator and all arrive; chunks are bounded', async () => {
  const coordinator = await startCoordinator();
  const { agent, host } = await startAgent([coordinator], {
    config: { slots: 64 },
    executors: [{ ...ECHO, concurrency: 64 }],
  });
  const session = await coordinator.session();
  const ids = Array.from({ length: 40 }, (_, index) => `job_${index}`);
  const output = JSON.stringify('x'.repeat(500_000));
  session.offer(...ids.map((jobId) => ({ jobId })));
  await host.job('job_39');
  session.pause();
  const first = host.jobs[0];
  const chunk = 'y'.repeat(10_000);
  for (let index = 0; index < 20_000; index += 1) first?.hooks.chunk(index, chunk);
  for (const job of host.jobs) job.succeed(output);
  await until('the results to be made', () => agent.status().jobs.unconfirmed === 40);
  session.resume();
  await Promise.all(ids.map((id) => session.completion(id)));
  await until('the acks to arrive', () => agent.status().jobs.unconfirmed === 0);
  expect(session.completions.map(({ jobId }) => jobId).toSorted()).toEqual(ids.toSorted());
  const chunks = session.messages.seen.flatMap((up) => up.chunks);
  expect(chunks.length).toBeLessThan(1000);
  // What did arrive is a whole beginning, without a hole.
  expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, index) => index));
});
