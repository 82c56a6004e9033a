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
 * 4. What the agent sends once a session and the store could not take ends the session, so that it is sent again.
 * 5. One bad item of a message takes nothing else away; only what breaks the protocol ends the session.
 */
import { Verdict } from '../../proto/gen/index.ts';
import type {
  AgentMessage__Output,
  Condition__Output,
  Heartbeat__Output,
  Hello__Output,
  PreloadHint__Output,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Problem } from '../../sdk/common/errors.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import { ThroughputTally } from '../../sdk/common/throughput-tally.ts';
import { NOT_STARTED, PREPARED } from '../queue/items.ts';
import type { AcceptReply, Told } from '../queue/items.ts';
import { cellIndexOf, jobId, parseJobId } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Profile } from '../queue/match.ts';
import type { Store } from '../queue/store.ts';
import { WORKFLOW, json } from '../workflow/fields.ts';
import { MAX_RESOLVED_INPUT_BYTES } from '../workflow/limits.ts';
import type { Plan } from '../workflow/plan.ts';
import { plannedInput } from '../workflow/refs.ts';
import type { ClaimedJob, Claimant } from './claimer.ts';
import type { AckText, Completions } from './completions.ts';
import { Credit } from './credit.ts';
import { Emits } from './emits.ts';
import type { HeldJob } from './held-jobs.ts';
import type { Outbox } from './outbox.ts';
import { checkAdvertisement, checkCondition } from './profiles.ts';

/** Reported progress is stored at most this often per job, milliseconds. */
const PROGRESS_INTERVAL_MS = 1000;
/** What is fetched for a job is stored at most this often, milliseconds. */
const PREPARING_INTERVAL_MS = 5000;
/** Ended jobs from which a throughput is learnt. */
const MIN_SAMPLES = 3;
/** Further jobs one batch may ask for. */
const MAX_EMITTED = 1000;
/** Length of a model's name. */
const MAX_MODEL_NAME = 200;
/** Length of the reason of a release. */
const MAX_REASON = 100;

export interface SessionOptions {
  readonly sessionId: string;
  readonly hello: Hello__Output;
  readonly store: Store;
  readonly completions: Completions;
  /** Undefined when there is no such workflow. */
  readonly planOf: (wid: string) => Promise<Plan | undefined>;
  readonly outbox: Outbox;
  readonly now: () => number;
  /** Equal for agents that can run the same. */
  readonly matchKey: () => string;
  readonly profile: () => Profile;
  readonly openProfile: () => Profile;
  /** Classes by step type that this agent can run. */
  readonly classesIn: (cell: Cell) => ReadonlyMap<string, readonly string[]>;
  /** Credits grew or a place fell free. */
  readonly onCredit: () => void;
  readonly onAdvertisement: (session: Session) => void;
  /** Cost of a job of a class on this agent, as it is now; `ownCost` is the step's. */
  readonly costOn: (queue: string, ownCost: number) => number;
  /** Jobs of a type the agent may hold. */
  readonly typeLimit: (type: string) => number;
  /** How much this agent is to be preferred for these classes: more is better; 0 = like any other. */
  readonly preference: (classes: readonly string[]) => number;
  readonly onCondition: (session: Session, condition: Condition__Output) => void;
  readonly onHeartbeat: (session: Session, heartbeat: Heartbeat__Output) => void;
  /** It handed an offer or a job back, for this reason. */
  readonly onHandedBack?: (reason: string) => void;
  readonly onDrain: (session: Session) => void;
  readonly onError: (error: unknown) => void;
  /** Ends the stream with this error. */
  readonly fail: (error: unknown) => void;
  /** A job the agent has not named for this long is no longer counted as held, milliseconds. */
  readonly silentMs: number;
  /** Time an offer stays valid, milliseconds. */
  readonly offerMs: number;
  /** Jobs its agent may hold, whatever it asks for. */
  readonly limit: () => number;
  /** Its agent is on trial. */
  readonly isOnTrial: () => boolean;
}

export class Session implements Claimant {
  readonly agentId: string;
  readonly sessionId: string;
  readonly credit: Credit;
  readonly hello: Hello__Output;
  draining = false;
  ended = false;
  /** What it said last of what it can give right now. */
  condition: Condition__Output | null = null;
  readonly #options: SessionOptions;
  readonly #held = new Map<string, HeldJob>();
  /** Server's time of the last word on each held job, milliseconds. */
  readonly #heardAt = new Map<string, number>();
  /** Jobs with further jobs on their way into the store: their completion must come after. */
  readonly #emitting = new Map<string, Promise<unknown>>();
  readonly #emits: Emits;
  readonly #tally = new ThroughputTally();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#emits = new Emits(options.store, () => this.ended);
    this.agentId = options.hello.agentId;
    this.sessionId = options.sessionId;
    this.hello = options.hello;
    const { now, offerMs, limit } = options;
    this.credit = new Credit({ now, offerMs, room: () => limit() - this.#held.size });
  }

  /** Cost a second of one running job, as learnt from the jobs that ended in this session; undefined for too few. */
  throughputOf(type: string): number | undefined {
    return this.#tally.figureOf(type, MIN_SAMPLES);
  }

  /** The same by queue, as far as that is known. */
  heldBy(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { plan, step } of this.#held.values()) {
      const queue = plan?.steps[step]?.queue;
      if (queue !== undefined) counts.set(queue, (counts.get(queue) ?? 0) + 1);
    }
    return counts;
  }

  /** Jobs it holds, offers included. */
  get held(): number {
    return this.#held.size;
  }

  get matchKey(): string {
    return this.#options.matchKey();
  }

  get profile(): Profile {
    return this.#options.profile();
  }

  /** As its condition leaves it. */
  get openProfile(): Profile {
    return this.#options.openProfile();
  }

  classesIn(cell: Cell): ReadonlyMap<string, readonly string[]> {
    return this.#options.classesIn(cell);
  }

  costOn(queue: string, ownCost: number): number {
    return this.#options.costOn(queue, ownCost);
  }

  /** Jobs of a type it may be given beyond those it holds, whatever it states. */
  roomFor(type: string): number {
    const limit = this.#options.typeLimit(type);
    if (limit === Number.POSITIVE_INFINITY) return limit;
    let held = 0;
    for (const { plan, step } of this.#held.values()) if (plan?.steps[step]?.type === type) held++;
    return Math.max(0, limit - held);
  }

  preference(classes: readonly string[]): number {
    return this.#options.preference(classes);
  }

  /** Models it should fetch, most wanted first. */
  preload(hints: Plain<PreloadHint__Output>[]): void {
    if (!this.ended) this.#options.outbox.preload(hints);
  }

  /** Renews the leases of jobs the agent brought along; tells which of them are still its own. */
  async greet(): Promise<{ confirmed: string[]; lost: string[] }> {
    const confirmed: string[] = [];
    const lost: string[] = [];
    await Promise.all(
      (this.hello.held ?? []).map(async ({ jobId: id, token, state }) => {
        const job = this.#find(id, token);
        // That it runs may not have been stored: said again, a start changes nothing.
        const runs = state === State.processing;
        const reply = job === undefined ? 'lost' : await this.#accept(job, runs ? 0 : NOT_STARTED);
        if (reply === 'ok' && job !== undefined) {
          this.#held.set(id, job);
          this.#heardAt.set(id, this.#options.now());
          confirmed.push(id);
          // A job that has ended is still the agent's only if it was the agent who ended it.
        } else if (reply === 'lost' || !isTerminal(state)) lost.push(id);
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
    const onTrial = this.#options.isOnTrial();
    const { agentId } = this;
    const { cost, inRun } = job;
    this.#held.set(id, {
      ref,
      token,
      agentId,
      onTrial,
      wid,
      step,
      plan,
      cost,
      view,
      inRun,
      progressAt: 0,
      preparedAt: 0,
    });
    this.#heardAt.set(id, this.#options.now());
    this.#options.outbox.offer({
      jobId: id,
      token,
      claimId: job.claimId,
      type: planned.type,
      inputJson: job.input === '' ? plannedInput(plan, step, job.slot) : job.input,
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
    if (answers(message)) this.credit.heard();
    this.#each(message.emitted, (asked) => this.#emit(asked));
    this.#each(message.completed, (said) => this.#completed(said));
    this.#each(message.accepted, ({ jobId: id, token }) => this.#took(id, token, NOT_STARTED));
    this.#each(message.started, ({ jobId: id, token, ageMs }) => this.#took(id, token, Math.max(0, -ageMs)));
    this.#each(message.preparing, (said) => this.#preparing(said));
    this.#each(message.progress, ({ jobId: id, token, fraction, message: text }) =>
      this.#progress(id, token, fraction, text),
    );
    this.#each(message.released, ({ jobId: id, token, reason }) => this.#release(id, token, reason));
    if (message.heartbeat) {
      this.#each(message.heartbeat.held, ({ jobId: id, token, state }) =>
        this.#live(id, token, isTerminal(state)),
      );
      this.#dropSilent();
      this.#options.onHeartbeat(this, message.heartbeat);
    }
    if (message.advertisement) {
      checkAdvertisement(message.advertisement);
      this.hello.advertisement = message.advertisement;
      this.#options.onAdvertisement(this);
    }
    if (message.condition) {
      checkCondition(message.condition);
      this.condition = message.condition;
      this.#options.onCondition(this, message.condition);
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
    this.#forget(id, token);
    if (!this.ended)
      this.#options.outbox.cancel({ jobId: id, token, reason: CANCEL_WORDS[reason] ?? 'user' });
  }

  /** An operator's word to the agent. */
  control(action: 'pause' | 'resume' | 'drain', note: string): void {
    if (!this.ended) this.#options.outbox.control({ action, note });
  }

  /** Ends the session from this side. */
  end(error: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#options.fail(error);
  }

  /** Something the agent sends once a session is not stored: a new session makes it send that again. */
  #unstored(error: unknown): void {
    if (this.ended) return;
    this.#options.onError(error);
    this.end(
      new DibsError(
        'STORE_UNAVAILABLE',
        'What the agent sent could not be stored; it should send it again.',
        {
          retryAfterMs: 1000,
          cause: error,
        },
      ),
    );
  }

  #each<T>(items: readonly T[], handle: (item: T) => void): void {
    for (const item of items) {
      if (this.ended) return;
      try {
        handle(item);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  /** Offers that lapsed unseen by the agent, and jobs it no longer knows. */
  #dropSilent(): void {
    const since = this.#options.now() - this.#options.silentMs;
    for (const [id, at] of this.#heardAt) {
      if (at >= since) continue;
      this.#held.delete(id);
      this.#heardAt.delete(id);
    }
  }

  /** Undefined for what can be no job; whether it is this agent's, the store says. */
  #find(id: string, token: string): HeldJob | undefined {
    const held = this.#held.get(id);
    if (held?.token === token) return held;
    const parsed = parseJobId(id);
    if (parsed === undefined || this.#options.store.cells[cellIndexOf(parsed.wid)] === undefined)
      return undefined;
    return {
      ref: parsed.ref,
      token,
      agentId: this.agentId,
      onTrial: false,
      wid: parsed.wid,
      step: parsed.step,
      plan: undefined,
      cost: 0,
      view: undefined,
      inRun: false,
      progressAt: 0,
      preparedAt: 0,
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
    const type = job.plan?.steps[job.step]?.type;
    if (type !== undefined && job.cost > 0 && said.verdict === Verdict.VERDICT_SUCCEEDED)
      this.#tally.add(type, job.cost, said.runMs);
    const store = (): void =>
      this.#options.completions.store(job, said, ack, (error) => this.#unstored(error));
    const emitting = this.#emitting.size === 0 ? undefined : this.#emitting.get(id);
    if (emitting === undefined) store();
    // Without its further jobs stored it must not count as done: the agent sends both again.
    else emitting.then(store).catch((error: unknown) => this.#unstored(error));
  }

  /** Taken, or begun: said once a session. */
  #took(id: string, token: string, startedAgeMs: number): void {
    const job = this.#word(id, token);
    if (job === undefined) return;
    this.#accept(job, startedAgeMs).then(
      (reply) => this.#answer(reply, id, token),
      (error: unknown) => this.#unstored(error),
    );
  }

  /** Still held, as a heartbeat says. `ended`: the agent has finished it, its completion is on the way. */
  #live(id: string, token: string, ended: boolean): void {
    const job = this.#word(id, token);
    if (job === undefined) return;
    this.#accept(job, NOT_STARTED).then((reply) => {
      if (reply !== 'done' || !ended) this.#answer(reply, id, token);
    }, this.#options.onError);
  }

  /** The job a word is about; undefined, and the agent told so, when it can be none. */
  #word(id: string, token: string): HeldJob | undefined {
    const job = this.#find(id, token);
    if (job === undefined) this.#answer('lost', id, token);
    else if (this.#held.get(id) === job) this.#heardAt.set(id, this.#options.now());
    return job;
  }

  /** The time an attempt may take stands in the plan. */
  async #accept(job: HeldJob, startedAgeMs: number): Promise<AcceptReply> {
    const { store, planOf } = this.#options;
    const plan = job.plan ?? (startedAgeMs < 0 ? undefined : await planOf(job.wid));
    return store.accept(job.wid, [job.ref, job.token, startedAgeMs, plan?.steps[job.step]?.timeoutMs ?? 0]);
  }

  #progress(id: string, token: string, fraction: number, text: string): void {
    const job = this.#find(id, token);
    if (job === undefined) this.#answer('lost', id, token);
    if (job === undefined || !(fraction >= 0)) return;
    const now = this.#options.now();
    if (now - job.progressAt < PROGRESS_INTERVAL_MS && fraction < 1) return;
    job.progressAt = now;
    this.#options.store
      .progress(job.wid, [job.ref, token, Math.min(1, fraction), text.slice(0, 200)])
      .then((reply) => this.#answer(reply, id, token), this.#options.onError);
  }

  #preparing({ jobId: id, token, ...file }: AgentMessage__Output['preparing'][number]): void {
    const job = this.#word(id, token);
    if (job === undefined) return;
    const now = this.#options.now();
    if (now - job.preparedAt < PREPARING_INTERVAL_MS) return;
    job.preparedAt = now;
    const note = JSON.stringify({ ...file, model: file.model.slice(0, MAX_MODEL_NAME) });
    this.#options.store
      .accept(job.wid, [job.ref, token, PREPARED, 0, note])
      .then((reply) => this.#answer(reply, id, token), this.#options.onError);
  }

  #release(id: string, token: string, reason: string): void {
    this.#options.onHandedBack?.(reason);
    const job = this.#find(id, token);
    if (job === undefined) return;
    this.#forget(id, token);
    this.#options.store
      .release(job.wid, [job.ref, token, reason.slice(0, MAX_REASON)])
      .catch(this.#options.onError);
  }

  #emit({ jobId: id, token, batch, inputsJson: inputs }: AgentMessage__Output['emitted'][number]): void {
    const wrong = mistakeIn(inputs);
    if (wrong !== undefined) {
      this.end(new DibsError('PROTOCOL_VIOLATION', `A batch of further jobs: ${wrong}.`));
      return;
    }
    const job = this.#find(id, token);
    if (job === undefined) {
      this.#options.outbox.emitAck({ jobId: id, token, batch, refused: 'LEASE_LOST' });
      return;
    }
    const stored = (this.#emitting.get(id) ?? Promise.resolve())
      .then(() => this.#emits.store(job, batch, inputs))
      .then((reply) => {
        // The agent sends it again on its next session; by then the fan-out stands.
        if (reply === 'wait') throw new DibsError('STORE_UNAVAILABLE', 'The fan-out is still being emitted.');
        if (reply === 'lost') this.#answer(reply, id, token);
        const refused = reply === 'lost' ? 'LEASE_LOST' : '';
        if (!this.ended) this.#options.outbox.emitAck({ jobId: id, token, batch, refused });
      });
    this.#emitting.set(id, stored);
    const forget = (): void => {
      if (this.#emitting.get(id) === stored) this.#emitting.delete(id);
    };
    stored.then(forget, (error: unknown) => {
      forget();
      this.#unstored(error);
    });
  }

  /** A lease that is gone, or a job that has ended without its agent: the agent stops wasting work on it. */
  #answer(reply: AcceptReply, id: string, token: string): void {
    if (reply === 'ok') return;
    this.#forget(id, token);
    if (!this.ended) this.#options.outbox.cancel({ jobId: id, token, reason: 'lease_lost' });
  }

  #forget(id: string, token: string): void {
    if (this.#held.get(id)?.token !== token) return;
    this.#held.delete(id);
    this.#heardAt.delete(id);
  }
}

/** Whether it says something about jobs or credits; a heartbeat comes whatever the rest of the agent does. */
function answers(message: AgentMessage__Output): boolean {
  if (message.credits) return true;
  const { accepted, started, preparing, progress, completed, released, emitted } = message;
  return [accepted, started, preparing, progress, completed, released, emitted].some(
    (list) => list.length > 0,
  );
}

/** Why these cannot be inputs of jobs; undefined when they can. */
function mistakeIn(inputs: readonly string[]): string | undefined {
  if (inputs.length > MAX_EMITTED) return `more than ${MAX_EMITTED} inputs`;
  const problems: Problem[] = [];
  for (const [index, input] of inputs.entries()) {
    json(problems, input, WORKFLOW, 'input', MAX_RESOLVED_INPUT_BYTES);
    const [problem] = problems;
    if (problem !== undefined) return `input ${index} ${problem.message}`;
  }
  return undefined;
}

const CANCEL_WORDS: Readonly<Record<string, string>> = {
  CANCELED_BY_USER: 'user',
  FAIL_FAST: 'fail_fast',
  WORKFLOW_TIMEOUT: 'deadline',
  deadline: 'deadline',
  REQUEUED: 'lease_lost',
};
