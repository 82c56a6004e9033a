/**
 * Submits whatever an iterable gives, and gives out what became of each: bounded memory at both ends.
 *
 * The source is read only while fewer than `maxInFlight` workflows are under way or waiting to be taken from here, so a
 * slow coordinator slows the source, and so does a slow consumer.
 */
import { randomUUID } from 'node:crypto';
import type { Connection } from './connection.ts';
import { DibsError } from './errors.ts';
import { readResult } from './read-views.ts';
import { SubmitLink } from './submit-link.ts';
import type { WorkflowResult } from './views.ts';
import type { WorkflowInput } from './workflow-input.ts';
import { toWorkflowSpec } from './workflow-spec.ts';

/** A workflow, or one with a request id of your own (which makes a repeat after a crash of yours harmless). */
export type SubmitManyItem = WorkflowInput | { readonly workflow: WorkflowInput; readonly requestId: string };

export interface SubmitManyOptions {
  /** Give out terminal results instead of acknowledgements. */
  readonly results?: boolean;
  /** Most workflows of one message; default 64. */
  readonly batchSize?: number;
  /** Default 1,024. */
  readonly maxInFlight?: number;
  /** Ends it; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What became of one workflow. A refusal concerns that one alone and never ends the loop. */
export type SubmitOutcome = {
  /** Position in the source, from 0. */
  readonly index: number;
  readonly requestId: string;
} & (
  | { readonly kind: 'acked'; readonly workflowId: string; readonly duplicate: boolean }
  | { readonly kind: 'ended'; readonly workflowId: string; readonly result: WorkflowResult }
  | { readonly kind: 'refused'; readonly error: DibsError }
);

type Source = Iterable<SubmitManyItem> | AsyncIterable<SubmitManyItem>;

export async function* submitMany(
  connection: Connection,
  source: Source,
  { results = false, batchSize = 64, maxInFlight = 1_024, signal }: SubmitManyOptions = {},
): AsyncGenerator<SubmitOutcome, void, undefined> {
  const outcomes: SubmitOutcome[] = [];
  let failure: { readonly error: unknown } | undefined;
  let exhausted = false;
  let wake = Promise.withResolvers<void>();

  const give = (outcome: SubmitOutcome): void => {
    outcomes.push(outcome);
    wake.resolve();
  };
  const fail = (error: unknown): void => {
    failure ??= { error };
    wake.resolve();
  };
  const link = new SubmitLink<number>(
    connection,
    {
      acked({ tag: index, requestId }, { workflowId, duplicate }) {
        if (!results) give({ kind: 'acked', index, requestId, workflowId, duplicate });
      },
      ended({ tag: index, requestId }, result) {
        give({ kind: 'ended', index, requestId, workflowId: result.workflowId, result: readResult(result) });
      },
      refused({ tag: index, requestId }, error) {
        give({ kind: 'refused', index, requestId, error });
      },
      // No later workflow would fare better.
      abandoned(_entry, error) {
        fail(error);
      },
    },
    batchSize,
  );

  const iterator = iteratorOf(source);
  const room = (): boolean =>
    !exhausted && failure === undefined && link.size + outcomes.length < maxInFlight;
  let index = 0;
  const add = (item: SubmitManyItem): void => {
    const own = 'workflow' in item;
    const requestId = own ? item.requestId : randomUUID();
    try {
      const workflow = toWorkflowSpec(own ? item.workflow : item);
      link.add({ requestId, workflow, wantResult: results, tag: index, acked: false });
    } catch (error) {
      if (!(error instanceof DibsError)) throw error;
      give({ kind: 'refused', index, requestId, error });
    }
    index += 1;
  };

  let filling = false;
  /** Reads the source until there is no room; a synchronous source is read without a promise for each item. */
  async function fill(): Promise<void> {
    if (filling) return;
    filling = true;
    try {
      while (room()) {
        const next = iterator.next();
        const { done, value } = next instanceof Promise ? await next : next;
        if (done !== true) {
          add(value);
          continue;
        }
        exhausted = true;
        wake.resolve();
      }
    } catch (error) {
      fail(error);
    } finally {
      filling = false;
    }
  }

  const abort = (): void => fail(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      void fill();
      if (failure !== undefined) throw failure.error;
      if (outcomes.length > 0) {
        for (const outcome of outcomes.splice(0)) yield outcome;
        continue;
      }
      if (exhausted && link.size === 0) return;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    link.close(new Error('submitMany was left.'));
    if (!exhausted) void iterator.return?.();
  }
}

function iteratorOf(source: Source): Iterator<SubmitManyItem> | AsyncIterator<SubmitManyItem> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}
