/**
 * What must be true of workflows that have ended, read from their records themselves. Each finding is a sentence.
 *
 * Siblings: `check-log.ts` looks at one workflow's log, `leftovers.ts` at what the cell still holds.
 */
import type { Redis } from 'ioredis';
import type { LogEntry } from '../../../coordinator/events/log-entries.ts';
import { expandEntries } from '../../../coordinator/events/log-entries.ts';
import { unpackSequence } from '../../../coordinator/queue/codec.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { keys, parseWorkflowId } from '../../../coordinator/queue/keys.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import { logOffset } from '../../../coordinator/queue/records.ts';
import { isSolo } from '../../../coordinator/queue/solo.ts';
import { readHead } from '../../../coordinator/workflow/view.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { isTerminal, stateName } from '../../../sdk/common/states.ts';
import { logProblems } from './check-log.ts';
import type { LoggedJob } from './check-log.ts';
import type { Acked } from './workload.ts';

/** Where the truth lies. */
export interface Place {
  readonly redis: Redis;
  readonly cell: Cell;
  /** Of a coordinator that lives. */
  readonly address: string;
}

export async function checkWorkflows(place: Place, acked: readonly Acked[]): Promise<string[]> {
  const client = createClient({ address: place.address });
  try {
    const reads = new Reads(place.redis);
    const found = await Promise.all(
      acked.map(async (one) => {
        const problems = [...(await storedProblems(place, reads, one)), ...(await seenProblems(client, one))];
        return problems.map((problem) => `${one.name} (${one.id}): ${problem}`);
      }),
    );
    return found.flat();
  } finally {
    client.close();
  }
}

/** Records and log. */
async function storedProblems({ redis, cell }: Place, reads: Reads, acked: Acked): Promise<string[]> {
  const wid = parseWorkflowId(acked.id) as string;
  const head = await reads.head(cell, wid);
  if (head === undefined) return ['it was acknowledged and does not exist'];
  const view = readHead(head);
  const problems: string[] = [];
  const state = stateName(view.state);
  if (state !== acked.status) problems.push(`it ended ${state} ${view.reason}, not ${acked.status}`);
  if (view.dirty.length > 0) problems.push(`${view.dirty.length} facts were never decided upon`);
  const jobs: LoggedJob[] = [];
  for (const [index, step] of view.steps.entries()) {
    if (step === undefined) continue;
    if (!isTerminal(step.state)) problems.push(`step ${index} is ${stateName(step.state)}`);
    if (step.open !== 0) problems.push(`step ${index} counts ${step.open} open jobs`);
    for (const [ordinal, job] of (await reads.jobs(cell, wid, index, 0, step.nextJob)).entries()) {
      if (job === undefined) {
        problems.push(`job ${index}-${ordinal} has no record`);
        continue;
      }
      if (!isTerminal(job.state)) problems.push(`job ${index}-${ordinal} is ${stateName(job.state)}`);
      if (job.hold !== 0) problems.push(`job ${index}-${ordinal} is still held`);
      jobs.push({ step: index, ordinal, claims: job.claims });
    }
  }
  // The log of a solo record is what its state implies.
  if (isSolo(head)) return problems;
  const listed = await redis.lrangeBuffer(keys.events(cell, wid), 0, -1);
  const bytes = Buffer.concat([...listed, head.subarray(logOffset(head))]);
  const events = expandEntries(bytes.length === 0 ? [] : (unpackSequence(bytes) as LogEntry[]));
  if (events.length !== view.sequence)
    problems.push(`its head counts ${view.sequence} events, its log has ${events.length}`);
  problems.push(...logProblems(events, view.steps.length, jobs));
  if (acked.watched !== undefined) {
    const logged = events.map(({ type }) => type).join(' ');
    const watched = acked.watched.map(({ type }) => type).join(' ');
    if (logged !== watched) problems.push(`a watch saw ${watched}; the log has ${logged}`);
  }
  return problems;
}

/** What a consumer is told. */
async function seenProblems(client: DibsClient, acked: Acked): Promise<string[]> {
  const problems: string[] = [];
  const workflow = await client.get(acked.id);
  for (const [name, expected] of Object.entries(acked.outputs)) {
    const output = workflow.steps.find((step) => step.name === name)?.output ?? null;
    const [is, should] = [JSON.stringify(output), JSON.stringify(expected)];
    if (is !== should) problems.push(`step ${name} gave ${is}, not ${should}`);
  }
  const again = await client.submit(acked.input, { requestId: acked.requestId });
  if (!again.duplicate || again.workflow.id !== acked.id)
    problems.push(`its request id, used again, names ${again.workflow.id} (duplicate: ${again.duplicate})`);
  return problems;
}
