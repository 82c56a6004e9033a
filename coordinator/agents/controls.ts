/**
 * What holds for queues and agents beyond what they can do: pauses, the quarantine, and an operator's word on an agent.
 *
 * Siblings: `pauses.ts` and `quarantine.ts` keep each its own; this file puts them before the agents served here.
 *
 * Invariants:
 * 1. A word is kept before it is told, so it reaches an agent wherever it is connected, and one that comes back later.
 * 2. An agent is told of a pause once a session; whether it listens or not, it is given nothing.
 */
import { AgentState } from '../../proto/gen/index.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { AgentRecord, ConnectedAgent } from './fleet.ts';
import type { Health, Sentence, Told } from './health.ts';
import type { PauseRecord, Pauses } from './pauses.ts';
import type { Quarantine } from './quarantine.ts';

/** Drains of agents that went away untold are forgotten after this time, milliseconds. */
const KEEP_DRAIN_MS = 3_600_000;
/** Length of a note. */
const MAX_NOTE = 500;

export type AgentVerb = 'pause' | 'resume' | 'drain' | 'quarantine' | 'release';

/** The part of a session this needs. */
export interface Controlled {
  readonly agentId: string;
  readonly sessionId: string;
  readonly draining: boolean;
  control(action: 'pause' | 'resume' | 'drain', note: string): void;
}

export interface ControlsOptions {
  readonly pauses: Pauses;
  readonly quarantine: Quarantine;
  readonly health: Health;
  readonly sessions: () => Iterable<Controlled>;
  readonly findAgent: (agentId: string) => Promise<AgentRecord | undefined>;
  readonly now: () => number;
  /** Something may be taken that was not before. */
  readonly onRoom: () => void;
  readonly onError: (error: unknown) => void;
}

export class Controls {
  readonly pauses: Pauses;
  readonly quarantine: Quarantine;
  readonly #options: ControlsOptions;
  /** Sessions whose agents were told to pause. */
  readonly #paused = new WeakSet<Controlled>();
  /** What other coordinators said, as far as it has been taken in. */
  readonly #learnt = new WeakSet<Told>();

  constructor(options: ControlsOptions) {
    this.#options = options;
    this.pauses = options.pauses;
    this.quarantine = options.quarantine;
  }

  /** Jobs an agent may hold. */
  limitOf(agentId: string): number {
    return this.pauses.ofAgent(agentId) === undefined ? this.quarantine.limitOf(agentId) : 0;
  }

  /** Jobs of a type an agent may hold. */
  typeLimitOf(agentId: string, type: string): number {
    return this.quarantine.typeLimitOf(agentId, type);
  }

  isOnTrial(agentId: string): boolean {
    return this.quarantine.standingOf(agentId) === 'canary';
  }

  /** Whether it takes jobs at all. */
  isOpen(agentId: string): boolean {
    return (
      this.pauses.ofAgent(agentId) === undefined && this.quarantine.standingOf(agentId) !== 'quarantined'
    );
  }

  /** State, pause and quarantine of an agent as others see them. */
  stateOf({ id, state }: Pick<AgentRecord, 'id' | 'state'>): {
    readonly state: AgentState;
    readonly pause: PauseRecord | undefined;
    readonly quarantine: Sentence | undefined;
  } {
    const pause = this.pauses.ofAgent(id);
    const quarantine = this.quarantine.sentenceOf(id);
    const about = { pause, quarantine };
    if (state !== AgentState.AGENT_STATE_CONNECTED) return { state, ...about };
    const standing = this.quarantine.standingOf(id);
    if (standing === 'quarantined') return { state: AgentState.AGENT_STATE_QUARANTINED, ...about };
    if (pause !== undefined) return { state: AgentState.AGENT_STATE_PAUSED, ...about };
    return { state: standing === 'canary' ? AgentState.AGENT_STATE_CANARY : state, ...about };
  }

  /** Reads everything again and tells the agents served here. */
  async refresh(): Promise<void> {
    await Promise.all([this.pauses.refresh(), this.quarantine.refresh()]);
    this.#tell();
  }

  /** What other coordinators' agents did lately. */
  learn(agents: readonly ConnectedAgent[]): void {
    for (const { id, results } of agents) {
      // The same object until the agent's record changes.
      if (results === undefined || this.#learnt.has(results)) continue;
      this.#learnt.add(results);
      this.#options.health.learn(id, results);
    }
  }

  /** A new session: it is told what was said of its agent before. */
  joined(session: Controlled): void {
    if (this.pauses.ofAgent(session.agentId) !== undefined) this.#tellOf(session);
  }

  /** False when it was not paused by this name. */
  async resumeQueue(name: string): Promise<boolean> {
    const isResumed = await this.pauses.resume('queue', name);
    if (isResumed) this.#options.onRoom();
    return isResumed;
  }

  /** Rejects with AGENT_NOT_FOUND, or WRONG_STATE where there is nothing to undo or nobody to tell. */
  async control(agentId: string, verb: AgentVerb, text: string): Promise<AgentRecord> {
    const record = await this.#options.findAgent(agentId);
    if (record === undefined)
      throw new DibsError('AGENT_NOT_FOUND', `There is no agent "${agentId.slice(0, 100)}".`);
    const note = text.slice(0, MAX_NOTE);
    switch (verb) {
      case 'pause':
        await this.pauses.pause('agent', agentId, note);
        break;
      case 'resume':
        if (!(await this.pauses.resume('agent', agentId)))
          throw new DibsError('WRONG_STATE', `The agent ${agentId} is not paused.`);
        break;
      case 'quarantine':
        await this.quarantine.impose(agentId, note);
        break;
      case 'release':
        if (!(await this.quarantine.release(agentId)))
          throw new DibsError('WRONG_STATE', `The agent ${agentId} is not in quarantine.`);
        break;
      case 'drain':
        if (record.state === AgentState.AGENT_STATE_LOST)
          throw new DibsError('WRONG_STATE', `The agent ${agentId} is not connected.`);
        if (record.state !== AgentState.AGENT_STATE_DRAINING)
          await this.pauses.drain(agentId, record.sessionId, note);
        break;
    }
    this.#tell();
    return record;
  }

  #tell(): void {
    const { sessions, now, onError, onRoom } = this.#options;
    const drains = new Map(this.pauses.drains());
    for (const session of sessions()) {
      this.#tellOf(session);
      const drain = drains.get(session.agentId);
      if (drain === undefined) continue;
      if (drain.sessionId === session.sessionId && !session.draining) session.control('drain', drain.note);
      drains.delete(session.agentId);
      this.pauses.drained(session.agentId).catch(onError);
    }
    for (const [agentId, { sinceMs }] of drains)
      if (sinceMs < now() - KEEP_DRAIN_MS) this.pauses.drained(agentId).catch(onError);
    onRoom();
  }

  #tellOf(session: Controlled): void {
    const pause = this.pauses.ofAgent(session.agentId);
    if ((pause !== undefined) === this.#paused.has(session)) return;
    if (pause === undefined) this.#paused.delete(session);
    else this.#paused.add(session);
    session.control(pause === undefined ? 'resume' : 'pause', pause?.note ?? '');
  }
}
