/**
 * A consumer process of a chaos run: submits, cancels, watches and waits through the SDK, and writes down what it was
 * told. Killed and started again, it reads its own log and takes up what it had left open.
 *
 *   node consumer.ts --seed 1 --log consumer-1.jsonl --address a,b [--window 24] [--pause 8] [--weights JSON]
 *
 * Invariants:
 * 1. `invoke` is written before the first attempt; a request without an answer is repeated, under the same id, until it
 *    has one. Only a refusal that names a mistake or a quota ends it.
 * 2. SIGTERM: nothing new; exit 0 when every acknowledged workflow was seen to end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Code, DibsError, createClient, isTerminalEvent } from '../../../sdk/client/index.ts';
import type { DibsClient, SubmitStream, TerminalResult } from '../../../sdk/client/index.ts';
import { State } from '../../../sdk/common/states.ts';
import type { ConsumerLine } from '../history/lines.ts';
import { LineLog, readLines } from '../history/log.ts';
import { otherBody, submissionAt } from './shapes.ts';
import type { Submission, Weights } from './shapes.ts';

const FINAL: ReadonlySet<number> = new Set([
  Code.INVALID_ARGUMENT,
  Code.ALREADY_EXISTS,
  Code.PERMISSION_DENIED,
  Code.UNAUTHENTICATED,
  Code.FAILED_PRECONDITION,
]);
/** Pause before a request is repeated, milliseconds. */
const REPEAT_MS = 150;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    log: { type: 'string' },
    address: { type: 'string' },
    window: { type: 'string', default: '24' },
    pause: { type: 'string', default: '8' },
    weights: { type: 'string' },
  },
});
const seed = Number(values.seed);
const file = String(values.log);
const weights = values.weights === undefined ? undefined : (JSON.parse(values.weights) as Weights);

const earlier = readLines<ConsumerLine>(file);
const log = new LineLog<ConsumerLine>(file);
const client: DibsClient = createClient({
  address: String(values.address),
  callTimeoutMs: 3000,
  reconnectMs: 600_000,
});
let stream: SubmitStream = client.openSubmitStream();
const leaving = new AbortController();
let watchers = 0;
let free = Number(values.window);
const open = new Set<Promise<void>>();
process.on('SIGTERM', () => leaving.abort());

function begin(work: Promise<void>): void {
  open.add(work);
  void work.finally(() => open.delete(work));
}

/** Calls until there is an answer; undefined = refused for good, and written down. */
async function answered<T>(key: string, call: () => Promise<T>): Promise<T | undefined> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const reason = error instanceof DibsError ? `${error.reason}: ${error.message}` : String(error);
      const final = error instanceof DibsError && FINAL.has(error.code);
      log.write({ op: final ? 'refused' : 'unknown', key, reason });
      if (final) return undefined;
      await pause(REPEAT_MS);
    }
  }
}

interface Acknowledged {
  readonly id: string;
  readonly end: Promise<TerminalResult> | undefined;
}

async function submitOnce({
  key,
  workflow,
  unary,
  watch,
}: Submission): Promise<Acknowledged & { duplicate: boolean }> {
  if (unary) {
    const { workflow: stored, duplicate } = await client.submit(workflow, { requestId: key });
    return { id: stored.id, duplicate, end: undefined };
  }
  const used = stream;
  try {
    const ack = await used.submit(workflow, { requestId: key, result: !watch });
    return { id: ack.workflowId, duplicate: ack.duplicate, end: watch ? undefined : used.result(key) };
  } catch (error) {
    // A stream that was given up is of no more use.
    if (stream === used && !(error instanceof DibsError && FINAL.has(error.code))) {
      stream = client.openSubmitStream();
      used.close();
    }
    throw error;
  }
}

async function submit(index: number): Promise<void> {
  const submission = submissionAt(seed, index, weights);
  const { key, shape } = submission;
  log.write({ op: 'invoke', key, index, shape });
  const stored = await answered(key, () => submitOnce(submission));
  if (stored === undefined) return;
  stored.end?.catch(() => undefined);
  log.write({ op: 'ok', key, id: stored.id, duplicate: stored.duplicate });
  await finish(submission, stored);
}

/** All that follows the acknowledgement. */
async function finish(submission: Submission, { id, end }: Acknowledged): Promise<void> {
  const { key, shape, again, watch } = submission;
  if (again !== undefined) await repeat(submission, again);
  if (shape === 'cancel') await answered(key, () => cancel(id));
  if (watch) await answered(key, () => follow(key, id));
  else if (end === undefined) await answered(key, () => wait(key, id));
  else await answered(key, () => end.then((result) => ended(key, result)).catch(() => wait(key, id)));
}

async function repeat(submission: Submission, body: 'same' | 'other'): Promise<void> {
  const { key } = submission;
  const workflow = body === 'same' ? submission.workflow : otherBody(submission);
  try {
    const { workflow: stored } = await client.submit(workflow, { requestId: key });
    log.write({ op: 'again', key, body, id: stored.id, reason: '' });
  } catch (error) {
    log.write({
      op: 'again',
      key,
      body,
      id: '',
      reason: error instanceof DibsError ? error.reason : String(error),
    });
  }
}

async function cancel(id: string): Promise<void> {
  try {
    await client.cancel(id);
  } catch (error) {
    // It has ended: an earlier cancel whose answer was lost.
    if (!(error instanceof DibsError) || error.reason !== 'WRONG_STATE') throw error;
  }
}

async function follow(key: string, id: string): Promise<void> {
  const watcher = `${process.pid}.${++watchers}`;
  for await (const event of client.watch(id)) {
    if (event.type === 'resync') log.write({ op: 'resync', id, watcher, sequence: event.workflow.sequence });
    else {
      const { sequence, cursor, type } = event;
      log.write({
        op: 'event',
        id,
        watcher,
        sequence,
        cursor,
        type,
        jobId: event.jobId ?? '',
        agentId: event.agentId ?? '',
      });
    }
    if (isTerminalEvent(event)) break;
  }
  await wait(key, id);
}

async function wait(key: string, id: string): Promise<void> {
  const { status, steps } = await client.wait(id);
  log.write({ op: 'end', key, id, status, n: numberIn(steps.at(-1)?.output) });
}

function ended(key: string, { workflowId, state, resultJson }: TerminalResult): void {
  const { steps } = JSON.parse(resultJson || '{"steps":[]}') as { steps: { output: unknown }[] };
  const status = Object.entries(State).find(([, code]) => code === (state as number))?.[0] ?? String(state);
  log.write({ op: 'end', key, id: workflowId, status, n: numberIn(steps.at(-1)?.output) });
}

function numberIn(output: unknown): number | null {
  const { n } = (output ?? {}) as { n?: unknown };
  return typeof n === 'number' ? n : null;
}

/** Takes up what an earlier process of this consumer left open; the first index nobody used. */
function resume(): number {
  const requests = new Map<string, { index: number; id?: string; over?: boolean }>();
  for (const line of earlier) {
    if (line.op === 'invoke') requests.set(line.key, { index: line.index });
    const request = 'key' in line ? requests.get(line.key) : undefined;
    if (request === undefined) continue;
    if (line.op === 'ok') request.id = line.id;
    if (line.op === 'refused' || line.op === 'end') request.over = true;
  }
  let next = 0;
  for (const { index, id, over } of requests.values()) {
    next = Math.max(next, index + 1);
    if (over === true) continue;
    begin(
      id === undefined
        ? submit(index)
        : finish({ ...submissionAt(seed, index, weights), again: undefined }, { id, end: undefined }),
    );
  }
  return next;
}

let index = resume();
while (!leaving.signal.aborted) {
  if (free > 0) {
    free--;
    begin(submit(index++).finally(() => free++));
  }
  await pause(Number(values.pause));
}
while (open.size > 0) await Promise.all(open);
stream.close();
client.close();
