/** A submit stream on a stream and a store that only exist here: whose reader is slow, whose store is away. */
import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { submitStream } from '../../../coordinator/grpc/submit-stream.ts';
import type { WorkflowServiceParts } from '../../../coordinator/grpc/workflow-parts.ts';
import type { WorkflowEnd } from '../../../coordinator/workflow/results.ts';
import { until } from '../../support/until.ts';

const ITEMS = 200;
const RESULT = `"${'x'.repeat(1024 * 1024)}"`;

interface Message {
  readonly acks: readonly { readonly requestId: string; readonly error?: object }[];
  readonly results: readonly { readonly requestId: string; readonly resultJson: string }[];
}

const FRAME = {
  authenticate: () => ({ tenant: 'acme' }),
  log: { error: () => undefined },
  leaving: new AbortController().signal,
  slowReaderMs: 60_000,
};

class FakeStream extends EventEmitter {
  readonly metadata = {};
  readonly written: Message[] = [];
  readonly #waiting: (() => void)[] = [];
  #paused = false;
  /** Whether messages are taken at once. */
  reads = false;

  write(message: Message, taken: () => void): void {
    this.written.push(message);
    if (this.reads) setImmediate(taken);
    else this.#waiting.push(taken);
  }

  readAll(): void {
    this.reads = true;
    for (const taken of this.#waiting.splice(0)) taken();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  isPaused(): boolean {
    return this.#paused;
  }
}

it('holds a bounded part of the ends while nobody reads, and reads the others from the store afterwards', async () => {
  const stream = new FakeStream();
  const waits = new Map<string, (end: WorkflowEnd) => void>();
  let reads = 0;
  let mostAtOnce = 0;
  const end = (wid: string): WorkflowEnd => ({
    wid,
    state: 5,
    reason: '',
    message: '',
    resultJson: RESULT,
    sequence: 3,
  });
  const parts = {
    frame: FRAME,
    intake: {
      compileNow: () => ({}),
      widOf: (_tenant: string, requestId: string) => requestId,
      submit: (
        _tenant: string,
        requestId: string,
        _plan: unknown,
        _watch: boolean,
        done: (ack: object) => void,
      ) => done({ wid: requestId, duplicate: false }),
    },
    results: {
      wait: (wid: string, _tenant: string, done: (end: WorkflowEnd) => void) => waits.set(wid, done),
      forget: (wid: string) => waits.delete(wid),
      follow: () => Promise.resolve(),
      check: (wid: string) => {
        reads++;
        mostAtOnce = Math.max(mostAtOnce, waits.size);
        setImmediate(() => {
          const done = waits.get(wid);
          waits.delete(wid);
          done?.(end(wid));
        });
      },
    },
  } as unknown as WorkflowServiceParts;
  submitStream(parts)(stream as never);
  const items = Array.from({ length: ITEMS }, (_, i) => ({
    requestId: `r${i}`,
    wantResult: true,
    workflow: {},
  }));
  stream.emit('data', { items });
  await until('the acknowledgements', () => stream.written.some(({ acks }) => acks.length === ITEMS));
  for (const [wid, done] of [...waits]) {
    waits.delete(wid);
    done(end(wid));
    await new Promise(setImmediate);
  }
  const held = stream.written.flatMap(({ results }) => results).length;
  // 8 MiB on their way, and one message more.
  expect(held).toBeLessThan(20);
  expect(stream.isPaused()).toBe(true);
  expect(reads).toBe(0);

  stream.readAll();
  const ends = (): string[] =>
    stream.written.flatMap(({ results }) => results.map(({ requestId }) => requestId));
  await until('every end', () => ends().length === ITEMS);
  expect(new Set(ends()).size).toBe(ITEMS);
  // What neither was on its way nor within the bound.
  expect(reads).toBeGreaterThan(ITEMS - 40);
  expect(mostAtOnce).toBeLessThanOrEqual(64);
  expect(stream.isPaused()).toBe(false);
  stream.emit('close');
});

it('refuses with STORE_UNAVAILABLE when Redis is away while a repeat is looked up', async () => {
  const stream = new FakeStream();
  stream.reads = true;
  const parts = {
    frame: FRAME,
    intake: {
      compileNow: () => ({}),
      submit: (
        ...[, , , , , failed]: [string, string, object, boolean, () => void, (error: Error) => void]
      ) => failed(new Error('Connection is closed.')),
    },
  } as unknown as WorkflowServiceParts;
  submitStream(parts)(stream as never);
  stream.emit('data', { items: [{ requestId: 'r', wantResult: false, workflow: {} }] });
  await until('the refusal', () => stream.written.length > 0);
  expect(stream.written[0]?.acks).toMatchObject([
    { requestId: 'r', error: { reason: 'STORE_UNAVAILABLE', violations: [] } },
  ]);
  stream.emit('close');
});
