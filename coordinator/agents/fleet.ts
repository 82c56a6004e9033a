/**
 * The agents: sessions served here, and the record of each that every coordinator can list.
 *
 * Invariants: an agent has one session here, the newest, and a poll later one in the whole fleet; its record in Redis
 * names the coordinator that serves it and is written on connect, on each heartbeat and on leaving; a record older than
 * three heartbeats is shown as lost.
 */
import type { Cluster, Redis } from 'ioredis';
import { AgentState } from '../../proto/gen/index.ts';
import type { Advertisement__Output, Condition__Output, Heartbeat__Output } from '../../proto/gen/index.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Told } from '../queue/items.ts';
import { keys } from '../queue/keys.ts';
import { canRun } from '../queue/match.ts';
import type { CapabilityClass, Profile } from '../queue/match.ts';
import { setFields } from '../queue/small-writes.ts';
import { Groups } from './groups.ts';
import type { Told as ToldResults } from './health.ts';
import { memberElsewhere, memberHere } from './members.ts';
import type { Member } from './members.ts';
import { Roster } from './roster.ts';
import type { Session } from './session.ts';

/** What Redis keeps of an agent, as JSON text. */
export interface AgentRecord {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly state: AgentState;
  readonly coordinatorId: string;
  readonly sessionId: string;
  readonly connectedAtMs: number;
  readonly heartbeatAtMs: number;
  readonly advertisement: Advertisement__Output | null;
  readonly condition: Condition__Output | null;
  readonly held: number;
  /** The same by queue. */
  readonly heldBy: Readonly<Record<string, number>>;
  readonly throughput: Heartbeat__Output['throughput'];
  /** As the last heartbeat said; likewise the throughput. */
  readonly telemetry: Heartbeat__Output['telemetry'];
  /** When it said so; 0 = not yet. */
  readonly telemetryAtMs: number;
  /** How its last jobs came out, for other coordinators. */
  readonly results: ToldResults;
}

export interface ConnectedAgent {
  readonly id: string;
  readonly profile: Profile;
  /** How its last jobs came out, where another coordinator serves it. */
  readonly results?: ToldResults;
}

export interface FleetOptions {
  readonly redis: Redis | Cluster;
  readonly namespace: string;
  readonly coordinatorId: string;
  readonly heartbeatMs: number;
  /** How the last jobs of an agent served here came out. */
  readonly resultsOf: (agentId: string) => ToldResults;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Records of agents that left or were lost stay this long, milliseconds. */
const KEEP_LOST_MS = 24 * 3_600_000;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #connectedAt = new Map<string, number>();
  /** The last heartbeat of each session. */
  readonly #heard = new Map<string, { readonly heartbeat: Heartbeat__Output; readonly at: number }>();
  readonly #groups = new Groups();
  readonly #roster: Roster;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#roster = new Roster(options.redis, keys.agents(options.namespace));
  }

  /** Sessions served here that may be offered jobs, by what they can run. */
  get groups(): readonly (readonly Session[])[] {
    return this.#groups.list;
  }

  /** How many those are. */
  get size(): number {
    return this.#groups.size;
  }

  /** Sessions served here. */
  sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** The newest session of an agent is the one that counts; an older one ends. */
  join(session: Session): void {
    const older = this.#sessions.get(session.agentId);
    this.#sessions.set(session.agentId, session);
    this.#connectedAt.set(session.agentId, this.#options.now());
    this.#heard.delete(session.agentId);
    if (older !== undefined) this.#groups.take(older);
    this.#group(session);
    this.#write(session, AgentState.AGENT_STATE_CONNECTED);
    older?.end(supersededError());
  }

  /** Ends the session an agent still has here: a newer one is on its way. */
  supersede(agentId: string): void {
    this.#sessions.get(agentId)?.end(supersededError());
  }

  /** Whether an agent was connected lately, here or elsewhere: others hold nothing. */
  async knows(agentId: string): Promise<boolean> {
    if (this.#sessions.has(agentId)) return true;
    const { redis, namespace } = this.#options;
    return (await redis.hexists(keys.agents(namespace), agentId)) === 1;
  }

  leave(session: Session): void {
    session.ended = true;
    this.#groups.take(session);
    if (this.#sessions.get(session.agentId) !== session) return;
    this.#sessions.delete(session.agentId);
    const record = this.#record(session, AgentState.AGENT_STATE_LOST);
    this.#connectedAt.delete(session.agentId);
    this.#heard.delete(session.agentId);
    // Gone as announced, with nothing left to do: not lost.
    const gone = session.draining && session.held === 0;
    this.#writeLast(session, gone ? undefined : record).catch(this.#options.onError);
  }

  /** A heartbeat, a changed advertisement, a drain. */
  update(session: Session, heartbeat: Heartbeat__Output | null): void {
    if (this.#sessions.get(session.agentId) !== session) return;
    const state = session.draining ? AgentState.AGENT_STATE_DRAINING : AgentState.AGENT_STATE_CONNECTED;
    if (heartbeat === null) this.#group(session);
    if (heartbeat !== null) this.#heard.set(session.agentId, { heartbeat, at: this.#options.now() });
    this.#write(session, state);
  }

  /** What an agent can give right now has changed: its record says so from the next heartbeat on. */
  regroup(session: Session): void {
    if (this.#sessions.get(session.agentId) === session) this.#group(session);
  }

  /** Hands stop orders to the agents served here; others are someone else's. */
  tell(told: readonly Told[]): void {
    for (const order of told) this.#sessions.get(order[2])?.stop(order);
  }

  /** Records of some agents, by id, as they are stored. */
  async records(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, AgentRecord>> {
    if (ids.size === 0) return new Map();
    const { redis, namespace } = this.#options;
    const texts = await redis.hmget(keys.agents(namespace), ...ids);
    const found = texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as AgentRecord]));
    return new Map(found.map((record) => [record.id, record]));
  }

  /** One agent, connected or lost; undefined when it is not known. */
  async find(agentId: string): Promise<AgentRecord | undefined> {
    const record = (await this.records(new Set([agentId]))).get(agentId);
    return record === undefined ? undefined : this.#asOfNow(record);
  }

  /** Agents of the whole fleet, by id. */
  async list(): Promise<AgentRecord[]> {
    const { redis, namespace, now } = this.#options;
    const key = keys.agents(namespace);
    const records: AgentRecord[] = [];
    const gone: string[] = [];
    for (const [id, text] of Object.entries(await redis.hgetall(key))) {
      const record = JSON.parse(text) as AgentRecord;
      if (now() - record.heartbeatAtMs > KEEP_LOST_MS) gone.push(id);
      else records.push(this.#asOfNow(record));
    }
    if (gone.length > 0) await this.#forget(gone);
    return records.toSorted((a, b) =>
      a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1,
    );
  }

  /**
   * All connected agents that may be offered jobs, as far as they are known: of a large fleet a part is read at each call. Ends
   * sessions here whose agent has a newer one elsewhere.
   */
  async connected(): Promise<readonly ConnectedAgent[]> {
    await this.#roster.refresh();
    const { now, heartbeatMs } = this.#options;
    const agents: ConnectedAgent[] = [];
    // Of those served here this coordinator knows better than their records, which may have been read a while ago.
    for (const [id, { draining, profile }] of this.#sessions) if (!draining) agents.push({ id, profile });
    const gone: string[] = [];
    for (const entry of this.#roster.entries()) {
      const { id, sessionId, connectedAtMs, heartbeatAtMs, state, profile, results } = entry;
      const session = this.#sessions.get(id);
      const silentMs = now() - heartbeatAtMs;
      if (session !== undefined) {
        const isNewer = connectedAtMs > (this.#connectedAt.get(id) ?? 0);
        if (session.sessionId !== sessionId && isNewer) session.end(supersededError());
      } else if (silentMs > KEEP_LOST_MS) gone.push(id);
      else if (state === AgentState.AGENT_STATE_CONNECTED && silentMs <= 3 * heartbeatMs + 10_000)
        agents.push({ id, profile, results });
    }
    if (gone.length > 0) await this.#forget(gone);
    return agents;
  }

  /** Everybody who is connected, those served elsewhere as the last `connected` found them. */
  members(): Member[] {
    const { now, heartbeatMs } = this.#options;
    const members: Member[] = [];
    for (const session of this.#sessions.values()) {
      const heard = this.#heard.get(session.agentId);
      members.push(memberHere(session, heard?.heartbeat.throughput ?? []));
    }
    for (const entry of this.#roster.entries()) {
      if (this.#sessions.has(entry.id) || now() - entry.heartbeatAtMs > 3 * heartbeatMs + 10_000) continue;
      if (entry.state !== AgentState.AGENT_STATE_LOST) members.push(memberElsewhere(entry));
    }
    return members;
  }

  /** Jobs that agents hold, by queue; of agents served elsewhere as their last heartbeat left it. */
  heldBy(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    const add = (queue: string, count: number): void => {
      counts.set(queue, (counts.get(queue) ?? 0) + count);
    };
    for (const session of this.#sessions.values())
      for (const [queue, count] of session.heldBy()) add(queue, count);
    for (const { id, state, record } of this.#roster.entries()) {
      if (this.#sessions.has(id) || state === AgentState.AGENT_STATE_LOST) continue;
      for (const [queue, count] of Object.entries(record.heldBy)) add(queue, count);
    }
    return counts;
  }

  /** One of `members`; undefined where it is not connected. */
  memberOf(id: string): Member | undefined {
    const session = this.#sessions.get(id);
    if (session !== undefined) return memberHere(session, this.#heard.get(id)?.heartbeat.throughput ?? []);
    const entry = this.#roster.find(id);
    return entry === undefined ? undefined : memberElsewhere(entry);
  }

  #asOfNow(record: AgentRecord): AgentRecord {
    const { now, heartbeatMs } = this.#options;
    const isSilent = now() - record.heartbeatAtMs > 3 * heartbeatMs + 10_000;
    return isSilent ? { ...record, state: AgentState.AGENT_STATE_LOST } : record;
  }

  async #forget(ids: readonly string[]): Promise<void> {
    const { redis, namespace } = this.#options;
    await redis.hdel(keys.agents(namespace), ...ids);
  }

  #group(session: Session): void {
    if (session.draining || session.ended) this.#groups.take(session);
    else this.#groups.put(session);
  }

  #write(session: Session, state: AgentState): void {
    const { redis, namespace, onError } = this.#options;
    const record = this.#record(session, state);
    setFields(redis, keys.agents(namespace), { [session.agentId]: JSON.stringify(record) }).catch(onError);
  }

  /** The record of a session that ended (undefined = none), unless the agent has a newer one, here or elsewhere. */
  async #writeLast({ agentId, sessionId }: Session, record: AgentRecord | undefined): Promise<void> {
    const { redis, namespace } = this.#options;
    const key = keys.agents(namespace);
    const text = await redis.hget(key, agentId);
    const newest = text === null ? undefined : (JSON.parse(text) as AgentRecord).sessionId;
    if (this.#sessions.has(agentId) || (newest !== undefined && newest !== sessionId)) return;
    if (record === undefined) await redis.hdel(key, agentId);
    else await setFields(redis, key, { [agentId]: JSON.stringify(record) });
  }

  #record(session: Session, state: AgentState): AgentRecord {
    const { coordinatorId, now } = this.#options;
    const heard = this.#heard.get(session.agentId);
    return {
      id: session.agentId,
      name: session.hello.name || session.agentId,
      version: session.hello.version,
      state,
      coordinatorId,
      sessionId: session.sessionId,
      connectedAtMs: this.#connectedAt.get(session.agentId) ?? now(),
      heartbeatAtMs: now(),
      advertisement: session.hello.advertisement,
      condition: session.condition,
      held: session.held,
      heldBy: Object.fromEntries(session.heldBy()),
      throughput: heard?.heartbeat.throughput ?? [],
      telemetry: heard?.heartbeat.telemetry ?? null,
      telemetryAtMs: heard?.at ?? 0,
      results: this.#options.resultsOf(session.agentId),
    };
  }
}

export function supersededError(): DibsError {
  return new DibsError('WRONG_STATE', 'This agent has a newer session; the older one ends.');
}

/** How many of these profiles can run a class. */
export function countEligible(profiles: readonly Profile[], need: CapabilityClass): number {
  let count = 0;
  for (const profile of profiles) if (canRun(profile, need).ok) count++;
  return count;
}
