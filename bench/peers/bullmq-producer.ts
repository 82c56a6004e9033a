/**
 * BullMQ's submitter as a process of its own: bulks of up to 1000, and QueueEvents that tells it of every completion.
 *
 * The event stream is kept long enough (BullMQ trims it at 10,000 events by default) that none is lost while `window`
 * flows are under way.
 */
import { FlowProducer, Queue, QueueEvents } from 'bullmq';
import { ITEM_BYTES, inputOf, outputOf } from '../support/payload.ts';
import type { JobOutput } from '../support/payload.ts';
import { timeEach } from '../support/latency.ts';
import type { Started } from '../support/latency.ts';
import { serveRole } from '../support/role.ts';
import { Tally } from '../support/tally.ts';
import type { RoundAsk } from '../support/tally.ts';
import { FAN_OUT } from '../throughput/workloads.ts';
import type { WorkloadName } from '../throughput/workloads.ts';
import { chainOf, fanOf, rootOf } from './bullmq-flows.ts';

export interface ProducerSetup {
  readonly socketPath: string;
  readonly queue: string;
  readonly workload: WorkloadName;
}

const BULK = 1000;
const EVENTS_KEPT = 200_000;

await serveRole(async ({ socketPath, queue: name, workload }: ProducerSetup) => {
  const connection = { path: socketPath, maxRetriesPerRequest: null };
  const told = workload === 'chain3' || workload === 'fan10' ? rootOf(name) : name;
  const queue = new Queue(told, { connection, streams: { events: { maxLen: EVENTS_KEPT } } });
  const flows = new FlowProducer({ connection });
  const events = new QueueEvents(told, { connection });
  await Promise.all([queue.waitUntilReady(), flows.waitUntilReady(), events.waitUntilReady()]);
  let tally: Tally | undefined;
  /** Jobs of each wide fan-out that are not done. */
  const open = new Map<number, number>();
  events.on('completed', ({ jobId, returnvalue }) => {
    if (tally === undefined) return;
    const output = returnvalue as unknown as JobOutput;
    if (workload !== 'fanout') {
      tally?.saw(output.n, () => output);
      return;
    }
    const flow = Number(jobId.slice(0, jobId.indexOf('-')).slice(1));
    const left = (open.get(flow) ?? 0) - 1;
    open.set(flow, left);
    if (left === 0) tally?.saw(flow, () => outputOf({ n: flow }));
    if (left <= 0) open.delete(flow);
  });
  events.on('failed', ({ jobId, failedReason }) => tally?.fail(`job ${jobId} failed: ${failedReason}`));

  const send = async (first: number, size: number): Promise<void> => {
    const numbers = Array.from({ length: size }, (_, i) => first + i);
    if (workload === 'chain3') await flows.addBulk(numbers.map((n) => chainOf(name, n)));
    else if (workload === 'fan10') await flows.addBulk(numbers.map((n) => fanOf(name, n)));
    else await queue.addBulk(numbers.map((n) => ({ name: 'noop', data: inputOf(n) })));
  };
  const sendWide = async (flow: number): Promise<void> => {
    open.set(flow, FAN_OUT);
    for (let from = 0; from < FAN_OUT; from += BULK) {
      const jobs = Array.from({ length: BULK }, (_, i) => ({
        name: 'noop',
        data: inputOf(from + i, ITEM_BYTES),
        opts: { jobId: `f${flow}-${from + i}` },
      }));
      await queue.addBulk(jobs);
    }
  };

  const round = async (ask: RoundAsk): Promise<unknown> => {
    const counting = new Tally(ask);
    tally = counting;
    counting.done.catch(() => {});
    const bulk = workload === 'fanout' ? 1 : Math.min(BULK, Math.ceil(ask.window / 2));
    const submit = async (): Promise<void> => {
      for (let sent = 0; sent < ask.jobs;) {
        const size = Math.min(bulk, ask.jobs - sent);
        await counting.whenCompleted(sent + size - ask.window);
        if (workload === 'fanout') await sendWide(ask.first + sent);
        else await send(ask.first + sent, size);
        sent += size;
      }
    };
    submit().catch((error: unknown) => counting.fail(`addBulk: ${String(error)}`));
    return counting.done;
  };
  return {
    commands: { round, dispatch: (count: number) => timeEach(count, () => timed(queue, events)) },
    stop: async () => {
      await events.close();
      await flows.close();
      await queue.close();
    },
  };
});

/** One job that says when it began. */
async function timed(queue: Queue, events: QueueEvents): Promise<Started> {
  const told = new Promise<Started>((resolve) =>
    events.once('completed', ({ returnvalue }) => resolve(returnvalue as unknown as Started)),
  );
  await queue.add('clock', {});
  return told;
}
