/**
 * One agent's session: greets, hands out offers, takes in what the agent says.
 *
 * Siblings: `credit.ts` counts the standing claim, `claimer.ts` races for jobs, `completions.ts` stores results,
 * `outbox.ts` batches what goes down. The stream itself belongs to `grpc/agent-service.ts`.
 *
 * Invariants:
 * 1. Nothing is offered before the welcome is written, nor after the session has ended.
 * 2. Messages of a job name its fencing token; the store alone decides whether it is live.
 * 3. Jobs of a session that ends are left to their leases: the agent reconnects, here or elsewhere, and goes on.
 */
import type { AgentMessage__Output, Heartbeat__Output, Hello__Output } from '../../proto/gen/index.ts';
import type { AcceptReply, Told } from '../queue/items.ts';
import { jobId, parseJobId } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { ClaimedJob, Claimant } from './claimer.ts';
import type { AckText, Completions } from './completions.ts';
import { Credit } from './credit.ts';
import type { HeldJob } from './held-jobs.ts';
import type { Outbox } from './outbox.ts';

/** Reported progress is stored at most this often per job, milliseconds. */
const PROGRESS_INTERVAL_MS = 1000;

export interface SessionOptions {
  readonly sessionId: string;
  readonly hello: Hello__Output;
  readonly store: Store;
  readonly completions: Completions;
  readonly outbox: Outbox;
  readonly now: () => number;
  /** Classes by step type that this agent can run. */
  readonly classesIn: (cell: Cell) => ReadonlyMap<string, readonly string[]>;
  /** Credits grew or a place fell free. */
  readonly onCredit: () => void;
  readonly onAdvertisement: (session: Session) => void;
  readonly onHeartbeat: (session: Session, heartbeat: Heartbeat__Output) => void;
  readonly onDrain: (session: Session) => void;
  readonly onError: (error: unknown) => void;
}

export class Session implements Claimant {
  readonly agentId: string;
  readonly sessionId: string;
  readonly credit = new Credit();
  readonly hello: Hello__Output;
  draining = false;
  ended = false;
  readonly #options: SessionOptions;
  readonly #held = new Map<string, HeldJob>();
  /** Jobs with further jobs on their way into the store: their completion must come after. */
  readonly #emitting = new Map<string, Promise<unknown>>();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.agentId = options.hello.agentId;
    this.sessionId = options.sessionId;
    this.hello = options.hello;
  }

  /** Jobs it holds, offers included. */
  get held(): number {
    return this.#held.size;
  }

  classesIn(cell: Cell): ReadonlyMap<string, readonly string[]> {
    return this.#options.classesIn(cell);
  }

  /** Renews the leases of jobs the agent brought along; tells which of them are still its own. */
  async greet(): Promise<{ confirmed: string[]; lost: string[] }> {
    const confirmed: string[] = [];
    const lost: string[] = [];
    await Promise.all(
      (this.hello.held ?? []).map(async ({ jobId: id, token }) => {
        const job = this.#find(id, token);
        const reply =
          job === undefined ? 'lost' : await this.#options.store.accept(job.wid, [job.ref, token, -1, 0]);
        if (reply === 'ok' && job !== undefined) {
          this.#held.set(id, job);
          confirmed.push(id);
        } else if (reply === 'lost') lost.push(id);
        else confirmed.push(id);
      }),
    );
    return { confirmed, lost };
  }

  /** A job won. */
  take(job: ClaimedJob): void {
    const { ref, token, wid, step, plan, view } = job;
    const planned = plan.steps[step];
    if (planned === undefined) return;
    if (this.ended) {
      this.#options.store.release(wid, [ref, token, 'SESSION_ENDED']).catch(this.#options.onError);
      return;
    }
    const id = jobId(ref);
    this.#held.set(id, { ref, token, wid, step, plan, view, progressAt: 0 });
    this.#options.outbox.offer({
      jobId: id,
      token,
      claimId: job.claimId,
      type: planned.type,
      inputJson: job.input === '' && planned.input.kind === 'literal' ? planned.input.json : job.input,
      attempt: job.attempt,
      cost: job.cost,
      timeoutMs: planned.timeoutMs,
      workflowId: `wf_${wid}`,
      step: planned.name,
      index: job.slot,
      idempotencyKey: `${id}.${job.attempt}`,
      creditsRevision: this.credit.revision,
    });
  }

  receive(message: AgentMessage__Output): void {
    for (const { jobId: id, token, batch, inputsJson } of message.emitted)
      this.#emit(id, token, batch, inputsJson);
    for (const said of message.completed) this.#completed(said);
    for (const { jobId: id, token } of message.accepted) this.#live(id, token, -1);
    for (const { jobId: id, token, ageMs } of message.started) this.#live(id, token, Math.max(0, -ageMs));
    for (const { jobId: id, token, fraction, message: text } of message.progress)
      this.#progress(id, token, fraction, text);
    for (const { jobId: id, token, reason } of message.released) this.#release(id, token, reason);
    if (message.heartbeat) {
      for (const { jobId: id, token } of message.heartbeat.held) this.#live(id, token, -1);
      this.#options.onHeartbeat(this, message.heartbeat);
    }
    if (message.advertisement) {
      this.hello.advertisement = message.advertisement;
      this.#options.onAdvertisement(this);
    }
    if (message.drain) {
      this.draining = true;
      this.credit.close();
      this.#options.onDrain(this);
    }
    if (message.credits && !this.draining) this.credit.state(message.credits);
    if (message.credits || message.completed.length > 0) this.#options.onCredit();
  }

  /** An attempt of this agent that must stop. */
  stop([ref, token, , reason]: Told): void {
    const id = jobId(ref);
    this.#held.delete(id);
    if (!this.ended)
      this.#options.outbox.cancel({ jobId: id, token, reason: CANCEL_WORDS[reason] ?? 'user' });
  }

  #find(id: string, token: string): HeldJob | undefined {
    const held = this.#held.get(id);
    if (held?.token === token) return held;
    const parsed = parseJobId(id);
    if (parsed === undefined) return undefined;
    return {
      ref: parsed.ref,
      token,
      wid: parsed.wid,
      step: parsed.step,
      plan: undefined,
      view: undefined,
      progressAt: 0,
    };
  }

  #completed(said: AgentMessage__Output['completed'][number]): void {
    const { jobId: id, token } = said;
    const job = this.#find(id, token);
    const ack = (refused: AckText): void => {
      if (!this.ended) this.#options.outbox.ack({ jobId: id, token, refused });
    };
    if (job === undefined) {
      ack('LEASE_LOST');
      return;
    }
    this.#forget(id, token);
    const { completions, onError } = this.#options;
    const emitting = this.#emitting.size === 0 ? undefined : this.#emitting.get(id);
    if (emitting === undefined) completions.store(job, said, ack, onError);
    // Without its further jobs stored it must not count as done: the agent sends both again.
    else emitting.then(() => completions.store(job, said, ack, onError), onError);
  }

  #live(id: string, token: string, startedAgeMs: number): void {
    const job = this.#find(id, token);
    if (job === undefined) {
      this.#answer('lost', id, token);
      return;
    }
    const timeoutMs = job.plan?.steps[job.step]?.timeoutMs ?? 0;
    this.#options.store
      .accept(job.wid, [job.ref, token, startedAgeMs, timeoutMs])
      .then((reply) => this.#answer(reply, id, token), this.#options.onError);
  }

  #progress(id: string, token: string, fraction: number, text: string): void {
    const job = this.#find(id, token);
    if (job === undefined || !(fraction >= 0)) return;
    const now = this.#options.now();
    if (now - job.progressAt < PROGRESS_INTERVAL_MS && fraction < 1) return;
    job.progressAt = now;
    this.#options.store
      .progress(job.wid, [job.ref, token, Math.min(1, fraction), text.slice(0, 200)])
      .then((reply) => this.#answer(reply, id, token), this.#options.onError);
  }

  #release(id: string, token: string, reason: string): void {
    const job = this.#find(id, token);
    if (job === undefined) return;
    this.#forget(id, token);
    this.#options.store.release(job.wid, [job.ref, token, reason]).catch(this.#options.onError);
  }

  #emit(id: string, token: string, batch: number, inputs: string[]): void {
    const job = this.#find(id, token);
    if (job === undefined) return;
    const stored = (this.#emitting.get(id) ?? Promise.resolve())
      .then(() => this.#options.store.emit(job.wid, [job.ref, token, batch, inputs]))
      .then((reply) => {
        this.#answer(reply, id, token);
        const refused = reply === 'lost' ? 'LEASE_LOST' : '';
        if (!this.ended) this.#options.outbox.emitAck({ jobId: id, token, batch, refused });
      });
    this.#emitting.set(id, stored);
    const forget = (): void => {
      if (this.#emitting.get(id) === stored) this.#emitting.delete(id);
    };
    stored.then(forget, (error: unknown) => {
      forget();
      this.#options.onError(error);
    });
  }

  /** A lease that is gone: the agent stops wasting work on it. */
  #answer(reply: AcceptReply, id: string, token: string): void {
    if (reply !== 'lost') return;
    this.#forget(id, token);
    if (!this.ended) this.#options.outbox.cancel({ jobId: id, token, reason: 'lease_lost' });
  }

  #forget(id: string, token: string): void {
    if (this.#held.get(id)?.token === token) this.#held.delete(id);
  }
}

const CANCEL_WORDS: Readonly<Record<string, string>> = {
  CANCELED_BY_USER: 'user',
  FAIL_FAST: 'fail_fast',
  WORKFLOW_TIMEOUT: 'deadline',
  deadline: 'deadline',
};
