/**
 * Brings agents in and lets them go: makes the session, confirms held jobs, welcomes, joins the fleet.
 *
 * Invariants:
 * 1. Of the streams of one agent the one that came last wins, however long each takes to be greeted: an older session ends
 *    as the new stream says hello. A stream that is over never joins.
 * 2. Before the welcome, jobs the hello names are renewed; those it does not name are released right after it (`orphans.ts`).
 */
import type { Hello__Output } from '../../proto/gen/index.ts';
import { sleep, systemClock } from '../../runtime/clock.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Cell } from '../queue/keys.ts';
import { openProfile } from '../queue/match.ts';
import type { Store } from '../queue/store.ts';
import type { Plan } from '../workflow/plan.ts';
import type { Classes } from './classes.ts';
import { MAX_OUTPUT_BYTES } from './completions.ts';
import type { Completions } from './completions.ts';
import type { Controls } from './controls.ts';
import { supersededError } from './fleet.ts';
import type { Fleet } from './fleet.ts';
import { Orphans } from './orphans.ts';
import type { Outbox } from './outbox.ts';
import { Matching, checkAdvertisement, conditionOf, profileKey, profileOf } from './profiles.ts';
import { Session } from './session.ts';

/** Protocol revision this server speaks. */
const REVISION = 1;

const AGENT_ID = /^[A-Za-z0-9_.:-]{1,100}$/;
/** Length of an agent's name and of its version. */
const MAX_TEXT = 200;
/** Jobs an agent may bring along. */
const MAX_HELD = 10_000;

/** The stream of one agent. */
export interface AgentLink {
  readonly outbox: Outbox;
  /** True when the stream has ended. */
  isOver(): boolean;
  /** Ends the stream with this error. */
  fail(error: unknown): void;
}

export interface GreeterOptions {
  readonly coordinatorId: string;
  readonly store: Store;
  readonly classes: Classes;
  readonly fleet: Fleet;
  readonly completions: Completions;
  readonly controls: Controls;
  /** Undefined when there is no such workflow. */
  readonly planOf: (wid: string) => Promise<Plan | undefined>;
  readonly times: { readonly heartbeatMs: number; readonly offerMs: number; readonly leaseMs: number };
  readonly now: () => number;
  /** An agent handed an offer or a job back, for this reason. */
  readonly onHandedBack?: (reason: string) => void;
  /** Credits grew somewhere. */
  readonly onCredit: () => void;
  readonly onError: (error: unknown) => void;
}

export class Greeter {
  readonly #options: GreeterOptions;
  readonly #matching: Matching;
  readonly #orphans: Orphans;
  readonly #open = new Set<Outbox>();
  /** The newest stream of each agent that is being greeted. */
  readonly #greeting = new Map<string, AgentLink>();
  #draining = false;

  constructor(options: GreeterOptions) {
    this.#options = options;
    this.#matching = new Matching(options.classes);
    const { store, times, now, onError } = options;
    this.#orphans = new Orphans({
      store,
      leaseMs: times.leaseMs,
      now,
      sleep: (ms) => sleep(systemClock, ms),
      onError,
    });
  }

  /** Rejects with the reason why the stream must end. */
  async greet(sessionId: string, hello: Hello__Output, link: AgentLink): Promise<Session> {
    checkHello(hello);
    const { agentId } = hello;
    this.#greeting.set(agentId, link);
    try {
      return await this.#greet(sessionId, hello, link);
    } finally {
      if (this.#greeting.get(agentId) === link) this.#greeting.delete(agentId);
    }
  }

  async #greet(sessionId: string, hello: Hello__Output, link: AgentLink): Promise<Session> {
    this.#assertStaying();
    const { outbox } = link;
    const { coordinatorId, store, classes, fleet, completions, controls, planOf, times, now } = this.#options;
    const { onCredit, onError } = this.#options;
    fleet.supersede(hello.agentId);
    const known = await fleet.knows(hello.agentId);
    let profile = profileOf(hello.advertisement);
    // As its condition leaves it.
    let open = profile;
    let key = profileKey(open);
    const matches = (changed: Session): void => {
      open = openProfile(profile, conditionOf(changed.condition));
      key = profileKey(open);
      fleet.regroup(changed);
      onCredit();
    };
    const session = new Session({
      sessionId,
      hello,
      store,
      completions,
      planOf,
      outbox,
      now,
      matchKey: () => key,
      profile: () => profile,
      openProfile: () => open,
      classesIn: (cell: Cell) => this.#matching.classesIn(cell, open, key),
      costOn: (queue, ownCost) => this.#matching.costOn(open, queue, ownCost),
      preference: (names) => this.#preference(session, names),
      onCredit,
      onAdvertisement: (changed) => {
        profile = profileOf(changed.hello.advertisement);
        this.#advertised(changed.hello);
        matches(changed);
        fleet.update(changed, null);
      },
      onCondition: matches,
      onHeartbeat: (living, heartbeat) => fleet.update(living, heartbeat),
      ...(this.#options.onHandedBack !== undefined && { onHandedBack: this.#options.onHandedBack }),
      onDrain: (leaving) => fleet.update(leaving, null),
      onError,
      fail: (error) => link.fail(error),
      silentMs: times.leaseMs,
      offerMs: times.offerMs,
      limit: () => controls.limitOf(hello.agentId),
      typeLimit: (type) => controls.typeLimitOf(hello.agentId, type),
      isOnTrial: () => controls.isOnTrial(hello.agentId),
    });
    await classes.addTypes(hello.advertisement?.executors ?? []);
    const [{ confirmed, lost }, marks] = await Promise.all([
      session.greet(),
      known ? this.#orphans.mark() : undefined,
    ]);
    this.#assertStaying();
    if (link.isOver() || this.#greeting.get(hello.agentId) !== link) throw supersededError();
    outbox.welcome({
      sessionId,
      coordinatorId,
      heartbeatIntervalMs: times.heartbeatMs,
      offerLeaseMs: times.offerMs,
      leaseMs: times.leaseMs,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      confirmedJobIds: confirmed,
      lostJobIds: lost,
      protocolRevision: REVISION,
    });
    this.#open.add(outbox);
    fleet.join(session);
    controls.joined(session);
    if (marks !== undefined)
      this.#orphans.release(hello.agentId, new Set(hello.held.map(({ token }) => token)), marks);
    return session;
  }

  leave(session: Session): void {
    this.#options.fleet.leave(session);
  }

  /** Forgets a stream that has ended. */
  closed(outbox: Outbox): void {
    this.#open.delete(outbox);
  }

  /** Asks every agent to go elsewhere. */
  drain(): void {
    this.#draining = true;
    for (const outbox of this.#open) outbox.drain();
  }

  /** Ends the sessions of agents that have not left by themselves. */
  endAll(): void {
    for (const outbox of this.#open) outbox.end();
    this.#open.clear();
  }

  #assertStaying(): void {
    if (this.#draining) throw new DibsError('DRAINING', 'This coordinator is leaving; connect to another.');
  }

  /**
   * 2 where it has the models of one of the classes loaded, 1 where it has their files; less by a half while it is under suspicion
   * or on trial.
   */
  #preference({ agentId, condition }: Session, names: readonly string[]): number {
    const trust = this.#options.controls.quarantine.standingOf(agentId) === 'open' ? 0 : -0.5;
    return trust + this.#warmth(condition, names);
  }

  #warmth(condition: Session['condition'], names: readonly string[]): number {
    if (condition === null || condition.cachedModels.length + condition.warmModels.length === 0) return 0;
    const { cachedModels, warmModels } = condition;
    let most = 0;
    for (const name of names) {
      const models = this.#matching.needOf(name)?.requirement?.models;
      if (models === undefined) continue;
      if (models.every((model) => warmModels.includes(model))) return 2;
      if (models.every((model) => cachedModels.includes(model) || warmModels.includes(model))) most = 1;
    }
    return most;
  }

  #advertised(hello: Hello__Output): void {
    this.#options.classes.addTypes(hello.advertisement?.executors ?? []).catch(this.#options.onError);
  }
}

/** Throws PROTOCOL_VIOLATION for what no agent of ours would say. */
function checkHello({ agentId, name, version, held, advertisement }: Hello__Output): void {
  if (!AGENT_ID.test(agentId)) {
    throw new DibsError(
      'PROTOCOL_VIOLATION',
      'An agent_id has 1 to 100 letters, digits and the characters "_", ".", ":", "-".',
    );
  }
  if (name.length > MAX_TEXT || version.length > MAX_TEXT)
    throw new DibsError('PROTOCOL_VIOLATION', `Name and version have at most ${MAX_TEXT} characters.`);
  if (held.length > MAX_HELD)
    throw new DibsError('PROTOCOL_VIOLATION', `An agent holds at most ${MAX_HELD} jobs.`);
  checkAdvertisement(advertisement);
}
