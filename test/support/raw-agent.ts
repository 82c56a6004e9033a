/**
 * An agent reduced to the wire: it takes offers and answers each by a function of the test.
 *
 * Speaks the real protocol to a real coordinator; the daemon has its own tests.
 */
import grpc from '@grpc/grpc-js';
import { EventEmitter } from 'node:events';
import { Verdict } from '../../proto/gen/index.ts';
import type {
  AgentMessage__Output,
  CompletionAck__Output,
  Control__Output,
  CoordinatorMessage__Output,
  EmitAck__Output,
  Hello__Output,
  Offer__Output,
  PreloadHint__Output,
  CancelJob__Output,
  Welcome__Output,
} from '../../proto/gen/index.ts';
import { agentService, makeClient } from '../../proto/gen/load.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { fromServiceError } from '../../runtime/grpc-errors.ts';
import { clientOptions } from '../../runtime/grpc-options.ts';
import type { DibsError } from '../../sdk/common/errors.ts';

/** What a test says of an offer: an output, a failure, or undefined = keep it. */
export type Answer =
  | { readonly output: unknown }
  | { readonly fail: string; readonly retryable?: boolean }
  | undefined;

const DEFAULT_SLOTS = 64;

export interface RawAgentOptions {
  readonly address: string;
  readonly id?: string;
  readonly token?: string;
  readonly types: readonly string[];
  readonly credits?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly answer: (offer: Offer__Output) => Answer | Promise<Answer>;
  readonly held?: readonly { readonly jobId: string; readonly token: string }[];
  /** Replaces parts of the hello. */
  readonly hello?: Plain<Hello__Output>;
}

export class RawAgent extends EventEmitter<{
  offer: [Offer__Output];
  cancel: [CancelJob__Output];
  ack: [CompletionAck__Output];
  end: [];
}> {
  readonly id: string;
  readonly offers: Offer__Output[] = [];
  readonly cancels: CancelJob__Output[] = [];
  readonly acks: CompletionAck__Output[] = [];
  /** Words of operators. */
  readonly controls: Control__Output[] = [];
  readonly emitAcks: EmitAck__Output[] = [];
  /** Each list of models it was told to fetch. */
  readonly preloads: PreloadHint__Output[][] = [];
  /** What the stream ended with, once it has. */
  error: DibsError | undefined;
  readonly welcomed: Promise<Welcome__Output>;
  readonly #client;
  readonly #stream;
  readonly #options: RawAgentOptions;
  #seen = 0;
  #held = 0;
  #revision = 0;
  /** Jobs it takes at a time. */
  #slots: number;

  constructor(options: RawAgentOptions) {
    super();
    this.#options = options;
    this.#slots = options.credits ?? DEFAULT_SLOTS;
    this.id = options.id ?? `agent_${process.pid}_${Math.floor(performance.now() * 1000)}`;
    this.#client = makeClient(
      agentService,
      options.address,
      grpc.credentials.createInsecure(),
      clientOptions,
    );
    const metadata = new grpc.Metadata();
    if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`);
    this.#stream = this.#client.session(metadata);
    const welcomed = Promise.withResolvers<Welcome__Output>();
    this.welcomed = welcomed.promise;
    this.#stream.on('data', (message: CoordinatorMessage__Output) => {
      if (message.welcome) {
        welcomed.resolve(message.welcome);
        this.grant();
      }
      for (const ack of message.acks) {
        this.acks.push(ack);
        this.emit('ack', ack);
      }
      this.emitAcks.push(...message.emitAcks);
      if (message.preloads.length > 0) this.preloads.push(message.preloads);
      if (message.control) this.controls.push(message.control);
      for (const cancel of message.cancels) {
        this.cancels.push(cancel);
        this.emit('cancel', cancel);
      }
      this.#seen += message.offers.length;
      for (const offer of message.offers) void this.#take(offer);
    });
    this.#stream.on('error', (error) => {
      this.error = fromServiceError(error);
      welcomed.reject(this.error);
      this.emit('end');
    });
    this.#stream.on('end', () => this.emit('end'));
    welcomed.promise.catch(() => {});
    this.send({
      hello: {
        agentId: this.id,
        name: this.id,
        version: '0',
        bootId: 'boot',
        held: options.held?.map((job) => ({ ...job, state: 4 as const })) ?? [],
        advertisement: {
          executors: options.types.map((type) => ({ type, version: '1', concurrency: 1 })),
          labels: { ...options.labels },
          slots: this.#slots,
        },
        protocolRevision: 1,
        ...options.hello,
      },
    });
  }

  send(message: Plain<AgentMessage__Output>): void {
    this.#stream.write(message);
  }

  /** States the standing claim; `slots` = what it takes at a time from now on. */
  grant(slots = this.#slots): void {
    this.#slots = slots;
    this.#revision++;
    this.send({
      credits: {
        total: Math.max(0, this.#slots - this.#held),
        byType: {},
        revision: this.#revision,
        offersSeen: this.#seen,
      },
    });
  }

  complete(offer: Offer__Output, answer: Exclude<Answer, undefined>): void {
    this.#held--;
    const failed = 'fail' in answer;
    this.send({
      completed: [
        {
          jobId: offer.jobId,
          token: offer.token,
          verdict: !failed
            ? Verdict.VERDICT_SUCCEEDED
            : answer.retryable === true
              ? Verdict.VERDICT_RETRYABLE
              : Verdict.VERDICT_FATAL,
          outputJson: failed ? '' : JSON.stringify(answer.output),
          outcome: failed ? { reason: answer.fail, message: 'said the test' } : null,
          runMs: 1,
        },
      ],
    });
    this.grant();
  }

  /** Says no more; the coordinator then ends the stream. */
  finish(): void {
    this.#stream.end();
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  async #take(offer: Offer__Output): Promise<void> {
    this.#held++;
    this.offers.push(offer);
    this.emit('offer', offer);
    const answer = await this.#options.answer(offer);
    if (answer !== undefined) this.complete(offer, answer);
  }
}
