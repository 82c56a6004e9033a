/**
 * A coordinator that speaks the real wire and keeps everything in memory, for tests of the client and the CLI.
 *
 * `kill` drops every connection as a crashed process does; `restart` comes back on the same port with the same store.
 * `failNext` refuses calls; `beforeAck` lets a test act between receiving a batch and answering it.
 */
import grpc from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type {
  SubmitAck__Output,
  SubmitItem__Output,
  SubmitStreamRequest__Output,
  SubmitStreamResponse__Output,
  TerminalResult__Output,
  Workflow__Output,
} from '../../proto/gen/index.ts';
import { artifactService, operatorService, workflowService } from '../../proto/gen/load.ts';
import type { ArtifactHandlers, OperatorHandlers, Plain, WorkflowHandlers } from '../../proto/gen/load.ts';
import { toServiceError } from '../../runtime/grpc-errors.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { isTerminal } from '../../sdk/common/states.ts';
import { FakeWorkflowStore } from './fake-workflow-store.ts';

const silent = { error: () => undefined };

export type Method =
  | 'submitWorkflow'
  | 'getWorkflow'
  | 'listWorkflows'
  | 'watchWorkflow'
  | 'cancelWorkflow'
  | 'getArtifact'
  | 'putArtifact';

export class FakeWorkflowServer {
  readonly store: FakeWorkflowStore;
  /** Calls received, by method, over all restarts. */
  readonly calls: Method[] = [];
  /** Batches received on submit streams, over all restarts. */
  readonly batches: string[][] = [];
  /** The last call's metadata. */
  metadata = new grpc.Metadata();
  /** Runs after a batch was stored and before it is answered; a killed server answers nothing. */
  beforeAck: (items: readonly SubmitItem__Output[]) => void | Promise<void> = () => undefined;
  /** Sends at most this many bytes of an artifact, then fails the call. */
  cutArtifactAt = Number.POSITIVE_INFINITY;
  /** The next watch starts with a resync. */
  resyncNext = false;
  readonly #failures = new Map<Method, DibsError[]>();
  #server = new grpc.Server();
  #port = 0;

  constructor(store = new FakeWorkflowStore()) {
    this.store = store;
  }

  static async start(store?: FakeWorkflowStore): Promise<FakeWorkflowServer> {
    const server = new FakeWorkflowServer(store);
    await server.restart();
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  failNext(method: Method, ...errors: DibsError[]): void {
    this.#failures.set(method, errors);
  }

  kill(): void {
    this.#server.forceShutdown();
  }

  async restart(): Promise<void> {
    this.#server = new grpc.Server();
    this.#server.addService(workflowService, this.#workflows());
    this.#server.addService(artifactService, this.#artifacts());
    this.#server.addService(operatorService, OPERATOR);
    const bound = Promise.withResolvers<number>();
    this.#server.bindAsync(
      `127.0.0.1:${this.#port}`,
      grpc.ServerCredentials.createInsecure(),
      (error, port) => (error === null ? bound.resolve(port) : bound.reject(error)),
    );
    this.#port = await bound.promise;
  }

  #enter(method: Method, metadata: grpc.Metadata): void {
    this.calls.push(method);
    this.metadata = metadata;
    const failure = this.#failures.get(method)?.shift();
    if (failure !== undefined) throw failure;
  }

  #unary<Request, Response>(
    method: Method,
    answer: (request: Request) => Response | Promise<Response>,
  ): grpc.handleUnaryCall<Request, Response> {
    return (call, callback) => {
      Promise.resolve()
        .then(() => this.#enter(method, call.metadata))
        .then(() => answer(call.request))
        .then(
          (response) => callback(null, response),
          (error: unknown) => callback(toServiceError(error, silent)),
        );
    };
  }

  #workflows(): Partial<WorkflowHandlers> {
    const { store } = this;
    return {
      submitWorkflow: this.#unary('submitWorkflow', (request) => {
        if (request.validateOnly) {
          if (request.workflow?.steps.length === 0) store.submit(request);
          return { workflow: { name: request.workflow?.name ?? '' }, duplicate: false };
        }
        const { stored, duplicate } = store.submit(request);
        return { workflow: stored.workflow, duplicate };
      }),
      getWorkflow: this.#unary('getWorkflow', async ({ workflowId, waitMs, omitOutputs }) => {
        const { workflow } = store.get(workflowId);
        if (waitMs > 0 && !isTerminal(workflow.state))
          await Promise.race([ended(store, workflowId), after(waitMs)]);
        return { workflow: omitOutputs ? withoutOutputs(workflow) : workflow };
      }),
      listWorkflows: this.#unary('listWorkflows', ({ pageSize, pageToken, filter }) => {
        const all = [...store.workflows.values()].map(({ workflow }) => workflow).reverse();
        const wanted = all.filter(({ tags }) => !filter.startsWith('tag=') || tags.includes(filter.slice(4)));
        const from = Number(pageToken);
        const to = from + pageSize;
        return { workflows: wanted.slice(from, to), nextPageToken: to < wanted.length ? String(to) : '' };
      }),
      cancelWorkflow: this.#unary('cancelWorkflow', ({ workflowId, message }) => {
        const { workflow } = store.get(workflowId);
        if (isTerminal(workflow.state)) throw new DibsError('WRONG_STATE', `${workflowId} has ended.`);
        store.end(workflowId, 'canceled', { reason: 'CANCELED_BY_USER', message });
        return { workflow };
      }),
      watchWorkflow: (call) => {
        const { workflowId, afterCursor, afterSequence } = call.request;
        try {
          this.#enter('watchWorkflow', call.metadata);
          const { workflow, events } = store.get(workflowId);
          let next = afterCursor === '' ? afterSequence : Number(afterCursor.split('.')[0]);
          if (this.resyncNext) {
            this.resyncNext = false;
            call.write({ resync: workflow });
            next = workflow.sequence;
          }
          const send = (id: string): void => {
            if (id !== workflowId) return;
            const batch = events.slice(next);
            next = events.length;
            if (batch.length > 0) call.write({ events: batch });
            if (!isTerminal(workflow.state)) return;
            store.off('event', send);
            call.end();
          };
          call.on('cancelled', () => store.off('event', send));
          store.on('event', send);
          send(workflowId);
        } catch (error) {
          call.emit('error', toServiceError(error, silent));
        }
      },
      submitStream: (call) => {
        this.metadata = call.metadata;
        const wanted = new Set<string>();
        const end = (workflowId: string): void => {
          const stored = store.get(workflowId);
          if (wanted.delete(stored.workflow.requestId)) call.write({ results: [store.result(stored)] });
        };
        store.on('ended', end);
        call.on('cancelled', () => store.off('ended', end));
        const take = async ({ items }: SubmitStreamRequest__Output): Promise<void> => {
          this.batches.push(items.map(({ requestId }) => requestId));
          const answers = this.#accept(items, wanted);
          await this.beforeAck(items);
          call.write(answers);
        };
        call.on('data', (message: SubmitStreamRequest__Output) => void take(message));
        call.on('end', () => call.end());
        call.on('error', () => undefined);
      },
    };
  }

  #accept(items: readonly SubmitItem__Output[], wanted: Set<string>): Plain<SubmitStreamResponse__Output> {
    const acks: Plain<SubmitAck__Output>[] = [];
    const results: Plain<TerminalResult__Output>[] = [];
    for (const item of items) {
      const { requestId } = item;
      try {
        const { stored, duplicate } = this.store.submit(item);
        acks.push({ requestId, workflowId: stored.workflow.id, duplicate });
        if (!item.wantResult) continue;
        if (isTerminal(stored.workflow.state)) results.push(this.store.result(stored));
        else wanted.add(requestId);
      } catch (error) {
        const { code, reason, message, problems } = error as DibsError;
        acks.push({ requestId, error: { code, reason, message, violations: [...problems] } });
      }
    }
    return { acks, results };
  }

  #artifacts(): ArtifactHandlers {
    const { artifacts } = this.store;
    return {
      putArtifact: (call, callback) => {
        let about = { name: '', mediaType: '' };
        const pieces: Buffer[] = [];
        let failure: unknown;
        try {
          this.#enter('putArtifact', call.metadata);
        } catch (error) {
          return callback(toServiceError(error, silent));
        }
        call.on('data', ({ ref, data }) => {
          if (ref !== null) about = ref;
          pieces.push(data);
        });
        call.on('error', (error) => (failure = error));
        call.on('end', () => {
          if (failure !== undefined) return;
          const bytes = Buffer.concat(pieces);
          const id = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
          artifacts.set(id, { bytes, name: about.name, mediaType: about.mediaType });
          callback(null, { ref: { id, name: about.name, mediaType: about.mediaType, size: bytes.length } });
        });
      },
      getArtifact: (call) => {
        const { id, offset } = call.request;
        try {
          this.#enter('getArtifact', call.metadata);
          const stored = artifacts.get(id);
          if (stored === undefined) throw new DibsError('ARTIFACT_NOT_FOUND', `There is no artifact ${id}.`);
          call.write({
            ref: { id, name: stored.name, size: stored.bytes.length, mediaType: stored.mediaType },
          });
          const until = Math.min(stored.bytes.length, offset + this.cutArtifactAt);
          for (let at = offset; at < until; at += 65_536) {
            call.write({ data: stored.bytes.subarray(at, Math.min(until, at + 65_536)) });
          }
          if (until < stored.bytes.length) throw new DibsError('DRAINING', 'The coordinator is leaving.');
          call.end();
        } catch (error) {
          call.emit('error', toServiceError(error, silent));
        }
      },
    };
  }
}

const OPERATOR: Partial<OperatorHandlers> = {
  listQueues: (_call, callback) =>
    callback(null, {
      queues: [
        { name: 'value.echo', type: 'value.echo', waiting: 3, oldestWaitMs: 1_500, eligibleAgents: 1 },
      ],
    }),
  listAgents: (_call, callback) =>
    callback(null, {
      agents: [
        {
          id: 'agent_1',
          name: 'box',
          version: '0.1.0',
          state: 1,
          held: 2,
          advertisement: {
            executors: [{ type: 'value.echo', version: '1', concurrency: 4 }],
            slots: 4,
            labels: { zone: 'a' },
          },
        },
      ],
    }),
};

async function ended(store: FakeWorkflowStore, workflowId: string): Promise<void> {
  for (;;) {
    const [id] = (await once(store, 'ended')) as [string];
    if (id === workflowId) return;
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function withoutOutputs(workflow: Workflow__Output): Plain<Workflow__Output> {
  return { ...workflow, steps: workflow.steps.map((step) => ({ ...step, outputJson: '' })) };
}
