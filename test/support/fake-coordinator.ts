/**
 * A coordinator for agent tests: a real gRPC server that speaks the real wire and does what the test says.
 *
 * 1. Nothing is decided here: welcome and acks are automatic unless a test takes them over; offers never are.
 * 2. Every wait is for a message or an end, never for a time; a wait that cannot come true any more rejects.
 */
import { createHash } from 'node:crypto';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type {
  AgentMessage__Output,
  ArtifactRef__Output,
  CoordinatorMessage__Output,
  Hello__Output,
  JobCompletion__Output,
  Offer__Output,
  Welcome__Output,
} from '../../proto/gen/index.ts';
import { agentService, artifactService } from '../../proto/gen/load.ts';
import type { AgentHandlers, ArtifactHandlers, Plain } from '../../proto/gen/load.ts';
import { serverOptions } from '../../runtime/grpc-options.ts';

type Up = AgentMessage__Output;
type Down = Plain<CoordinatorMessage__Output>;
type Call = ServerDuplexStream<Up, Down>;

export interface FakeOptions {
  /** Default: an automatic welcome that confirms every held job. */
  readonly welcome?: (hello: Hello__Output) => Plain<Welcome__Output> | undefined;
  /** Default true: each completion is acknowledged as stored. */
  readonly autoAck?: boolean;
  /** Bearer token every session must carry. */
  readonly token?: string;
  readonly port?: number;
}

const WELCOME: Plain<Welcome__Output> = {
  sessionId: 'session_test',
  coordinatorId: 'coord_test',
  heartbeatIntervalMs: 30_000,
  offerLeaseMs: 15_000,
  leaseMs: 120_000,
  maxOutputBytes: 1024 * 1024,
  protocolRevision: 1,
};

/** One wait of a test. */
interface Waiter<T> {
  readonly matches: (value: T) => boolean;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Things that come one after another, which a test may wait for. */
class Arrivals<T> {
  readonly seen: T[] = [];
  #waiters: Waiter<T>[] = [];
  #over: Error | undefined;

  push(value: T): void {
    this.seen.push(value);
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => !waiter.matches(value));
    for (const waiter of waiters) if (!this.#waiters.includes(waiter)) waiter.resolve(value);
  }

  /** The first that matches, past or to come (2). */
  find(matches: (value: T) => boolean): Promise<T> {
    const past = this.seen.find(matches);
    if (past !== undefined) return Promise.resolve(past);
    if (this.#over !== undefined) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => this.#waiters.push({ matches, resolve, reject }));
  }

  end(error: Error): void {
    this.#over = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}

export class FakeSession {
  readonly hello: Hello__Output;
  readonly messages = new Arrivals<Up>();
  /** Completions in the order they came, repeats included. */
  readonly completions: JobCompletion__Output[] = [];
  readonly ended: Promise<void>;
  readonly metadata: Record<string, unknown>;
  autoAck: boolean;
  readonly #call: Call;
  #over = false;

  constructor(call: Call, hello: Hello__Output, autoAck: boolean) {
    this.#call = call;
    this.hello = hello;
    this.autoAck = autoAck;
    this.metadata = call.metadata.getMap();
    this.ended = new Promise((resolve) => {
      const over = (): void => {
        this.#over = true;
        this.messages.end(new Error('the session has ended'));
        resolve();
      };
      call.on('end', over);
      call.on('cancelled', over);
    });
  }

  receive(up: Up): void {
    this.completions.push(...up.completed);
    if (this.autoAck && up.completed.length > 0) this.ack(...up.completed);
    if (this.autoAck && up.emitted.length > 0) this.ackEmits(...up.emitted);
    this.messages.push(up);
  }

  send(down: Down): void {
    this.#call.write(down);
  }

  offer(...offers: (Partial<Offer__Output> & { jobId: string })[]): void {
    this.send({ offers: offers.map(fullOffer) });
  }

  ack(...completions: { jobId: string; token: string; refused?: string }[]): void {
    this.send({ acks: completions.map(({ jobId, token, refused = '' }) => ({ jobId, token, refused })) });
  }

  ackEmits(...emits: { jobId: string; token: string; batch: number; refused?: string }[]): void {
    this.send({
      emitAcks: emits.map(({ jobId, token, batch, refused = '' }) => ({ jobId, token, batch, refused })),
    });
  }

  cancel(jobId: string, reason = 'user', token = tokenOf(jobId)): void {
    this.send({ cancels: [{ jobId, token, reason }] });
  }

  /** The completion of a job, past or to come. */
  async completion(jobId: string): Promise<JobCompletion__Output> {
    const of = (up: Up): JobCompletion__Output | undefined => up.completed.find((one) => one.jobId === jobId);
    return of(await this.messages.find((up) => of(up) !== undefined)) as JobCompletion__Output;
  }

  /** The first message in which `list` names the job. */
  async named(
    list: 'accepted' | 'started' | 'released' | 'progress' | 'chunks' | 'emitted',
    jobId: string,
  ): Promise<Up> {
    return this.messages.find((up) => up[list].some((one) => one.jobId === jobId));
  }

  /** The first credits that satisfy the test. */
  async credits(
    matches: (credits: NonNullable<Up['credits']>) => boolean,
  ): Promise<NonNullable<Up['credits']>> {
    const up = await this.messages.find(({ credits }) => credits !== null && matches(credits));
    return up.credits as NonNullable<Up['credits']>;
  }

  /** Stops reading: the agent's stream fills up. */
  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** Ends the stream in good order. */
  end(): void {
    this.#call.end();
  }

  /** Ends it with an error, as a coordinator that dies does. */
  fail(code: number = status.UNAVAILABLE, details = 'gone'): void {
    if (this.#over) return;
    this.#over = true;
    this.#call.emit('error', { code, details });
  }
}

export class FakeCoordinator {
  readonly sessions = new Arrivals<FakeSession>();
  readonly blobs = new Map<string, Buffer>();
  readonly #server: Server;
  readonly #options: FakeOptions;
  #port = 0;

  private constructor(options: FakeOptions) {
    this.#options = options;
    this.#server = new Server(serverOptions);
    const agent: AgentHandlers = { session: (call) => this.#session(call) };
    this.#server.addService(agentService, agent);
    this.#server.addService(artifactService, this.#artifacts());
  }

  static async start(options: FakeOptions = {}): Promise<FakeCoordinator> {
    const fake = new FakeCoordinator(options);
    fake.#port = await new Promise<number>((resolve, reject) => {
      fake.#server.bindAsync(
        `127.0.0.1:${options.port ?? 0}`,
        ServerCredentials.createInsecure(),
        (error, port) => {
          if (error === null) resolve(port);
          else reject(error);
        },
      );
    });
    return fake;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The n-th session since the start, from 0. */
  async session(index = 0): Promise<FakeSession> {
    return this.sessions.find((session) => this.sessions.seen[index] === session);
  }

  /** Ends every session with an error and goes away. */
  stop(): void {
    for (const session of this.sessions.seen) session.fail();
    this.#server.forceShutdown();
  }

  /**
   * Goes away with a GOAWAY and nothing else, as a grpc-js server does that is shut down by force (1.14, Node 24): its
   * streams do not end, and the connection stays open until a keepalive fails.
   */
  stopWithoutEnding(): void {
    this.#server.forceShutdown();
  }

  #session(call: Call): void {
    const { token, welcome, autoAck } = this.#options;
    call.on('error', () => {});
    const sent = call.metadata.get('authorization')[0];
    if (token !== undefined && sent !== `Bearer ${token}`) {
      call.emit('error', { code: status.UNAUTHENTICATED, details: 'no such agent' });
      return;
    }
    let session: FakeSession | undefined;
    call.on('data', (up: Up) => {
      if (session !== undefined) {
        session.receive(up);
        return;
      }
      const hello = up.hello as Hello__Output;
      session = new FakeSession(call, hello, autoAck ?? true);
      const answer = welcome === undefined ? confirmAll(hello) : welcome(hello);
      if (answer !== undefined) session.send({ welcome: answer });
      this.sessions.push(session);
    });
    call.on('end', () => call.end());
  }

  #artifacts(): ArtifactHandlers {
    return {
      getArtifact: (call) => {
        const bytes = this.blobs.get(call.request.id);
        if (bytes === undefined) {
          call.emit('error', { code: status.NOT_FOUND, details: 'no such artifact' });
          return;
        }
        const ref = { id: call.request.id, name: '', size: bytes.length, mediaType: '' };
        call.write({ ref, data: bytes.subarray(0, 1000) });
        if (bytes.length > 1000) call.write({ data: bytes.subarray(1000) });
        call.end();
      },
      putArtifact: (call, callback) => {
        const parts: Buffer[] = [];
        let ref: ArtifactRef__Output | null = null;
        call.on('data', (part: { ref: ArtifactRef__Output | null; data: Buffer }) => {
          ref ??= part.ref;
          parts.push(part.data);
        });
        call.on('end', () => {
          const bytes = Buffer.concat(parts);
          const id = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
          this.blobs.set(id, bytes);
          callback(null, { ref: { ...(ref as ArtifactRef__Output), id, size: bytes.length } });
        });
      },
    };
  }
}

/** The token a fake offer carries unless the test names one. */
export function tokenOf(jobId: string): string {
  return `token-${jobId}`;
}

export function confirmAll(hello: Hello__Output): Plain<Welcome__Output> {
  return { ...WELCOME, confirmedJobIds: hello.held.map(({ jobId }) => jobId) };
}

function fullOffer(offer: Partial<Offer__Output> & { jobId: string }): Plain<Offer__Output> {
  return {
    token: tokenOf(offer.jobId),
    claimId: 'claim_test',
    type: 'test.echo',
    inputJson: '{}',
    attempt: 1,
    cost: 1,
    workflowId: 'wf_test',
    step: 'step',
    idempotencyKey: offer.jobId,
    ...offer,
  };
}
