/**
 * BullMQ's submitter as a process of its own: `addBulk` of 1000, and QueueEvents that tells it of every completion.
 *
 * The event stream is kept long enough (BullMQ trims it at 10,000 events by default) that none is lost while `window`
 * jobs are under way.
 */
import { Queue, QueueEvents } from 'bullmq';
import { inputOf } from '../support/payload.ts';
import type { JobOutput } from '../support/payload.ts';
import { serveRole } from '../support/role.ts';
import { Tally } from '../support/tally.ts';
import type { RoundAsk } from '../support/tally.ts';

export interface ProducerSetup {
  readonly socketPath: string;
  readonly queue: string;
}

const BULK = 1000;
const EVENTS_KEPT = 200_000;

await serveRole(async ({ socketPath, queue: name }: ProducerSetup) => {
  const connection = { path: socketPath, maxRetriesPerRequest: null };
  const queue = new Queue(name, { connection, streams: { events: { maxLen: EVENTS_KEPT } } });
  const events = new QueueEvents(name, { connection });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  let tally: Tally | undefined;
  events.on('completed', ({ returnvalue }) => {
    const output = returnvalue as unknown as JobOutput;
    tally?.saw(output.n, () => output);
  });
  events.on('failed', ({ jobId, failedReason }) => tally?.fail(`job ${jobId} failed: ${failedReason}`));

  const round = async (ask: RoundAsk): Promise<unknown> => {
    const counting = new Tally(ask);
    tally = counting;
    counting.done.catch(() => {});
    const submit = async (): Promise<void> => {
      for (let sent = 0; sent < ask.jobs;) {
        const size = Math.min(BULK, ask.jobs - sent);
        await counting.whenCompleted(sent + size - ask.window);
        const jobs = Array.from({ length: size }, (_, i) => ({
          name: 'noop',
          data: inputOf(ask.first + sent + i),
        }));
        await queue.addBulk(jobs);
        sent += size;
      }
    };
    submit().catch((error: unknown) => counting.fail(`addBulk: ${String(error)}`));
    return counting.done;
  };
  return {
    commands: { round },
    stop: async () => {
      await events.close();
      await queue.close();
    },
  };
});
