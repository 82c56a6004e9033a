/**
 * The low-level way to submit very many workflows: one stream, a promise for what you ask for and nothing else.
 *
 * It hands out the wire's own messages (`readResult` makes a view of one) and sets no limit: keep `pending` bounded, or
 * use `submitMany`, which does.
 */
import { randomUUID } from 'node:crypto';
import type { Connection } from './connection.ts';
import { SubmitLink } from './submit-link.ts';
import type { Entry, SubmitAck, TerminalResult } from './submit-link.ts';
import type { WorkflowInput } from './workflow-input.ts';
import { toWorkflowSpec } from './workflow-spec.ts';

export interface StreamSubmitOptions {
  /** Default a fresh one. */
  readonly requestId?: string;
  /** Ask for the terminal result too: take it with `result(requestId)`, it is kept until then. */
  readonly result?: boolean;
}

export interface SubmitStream extends AsyncDisposable {
  /** Resolves when the workflow is stored; rejects with a `DibsError` when it is refused. */
  submit(workflow: WorkflowInput, options?: StreamSubmitOptions): Promise<SubmitAck>;
  /** The end of a workflow that was submitted with `result: true`; may be asked for once. */
  result(requestId: string): Promise<TerminalResult>;
  /** Submit and result in one promise: the cheapest round trip there is. */
  run(workflow: WorkflowInput, options?: { readonly requestId?: string }): Promise<TerminalResult>;
  /** Workflows whose answer is still to come. */
  readonly pending: number;
  /** Rejects what is still open. */
  close(): void;
}

type Deferred<Value> = PromiseWithResolvers<Value>;

/** What somebody waits for: an acknowledgement, an end, or an end that came before it was asked for. */
interface Waiting {
  ack: Deferred<SubmitAck> | undefined;
  end: Deferred<TerminalResult> | undefined;
  outcome: TerminalResult | Error | undefined;
}

export function openSubmitStream(connection: Connection): SubmitStream {
  const results = new Map<string, Waiting>();
  const link = new SubmitLink<Waiting>(connection, {
    acked({ tag }, ack) {
      tag.ack?.resolve(ack);
      tag.ack = undefined;
    },
    ended({ tag, requestId }, result) {
      // An acknowledgement that was lost with a stream: the result says as much.
      tag.ack?.resolve({ requestId, workflowId: result.workflowId, duplicate: false, error: null });
      if (tag.end === undefined) tag.outcome = result;
      else results.delete(requestId);
      tag.end?.resolve(result);
    },
    refused: reject,
    abandoned: reject,
  });

  function reject({ tag, requestId }: Entry<Waiting>, error: Error): void {
    if (tag.ack === undefined && tag.end === undefined) tag.outcome = error;
    else results.delete(requestId);
    tag.ack?.reject(error);
    tag.end?.reject(error);
  }

  function add(workflow: WorkflowInput, requestId: string, wantResult: boolean, tag: Waiting): void {
    link.add({ requestId, workflow: toWorkflowSpec(workflow), wantResult, tag, acked: false });
  }

  return {
    async submit(workflow, { requestId = randomUUID(), result = false } = {}) {
      const ack = Promise.withResolvers<SubmitAck>();
      const tag: Waiting = { ack, end: undefined, outcome: undefined };
      add(workflow, requestId, result, tag);
      if (result) results.set(requestId, tag);
      return ack.promise;
    },
    async result(requestId) {
      const tag = results.get(requestId);
      if (tag === undefined)
        throw new TypeError(`No result was asked for with the request id "${requestId}".`);
      if (tag.outcome === undefined) return (tag.end ??= Promise.withResolvers<TerminalResult>()).promise;
      results.delete(requestId);
      if (tag.outcome instanceof Error) throw tag.outcome;
      return tag.outcome;
    },
    async run(workflow, { requestId = randomUUID() } = {}) {
      const end = Promise.withResolvers<TerminalResult>();
      add(workflow, requestId, true, { ack: undefined, end, outcome: undefined });
      return end.promise;
    },
    get pending() {
      return link.size;
    },
    close: () => link.close(new Error('The submit stream was closed.')),
    async [Symbol.asyncDispose]() {
      link.close(new Error('The submit stream was closed.'));
    },
  };
}
