/**
 * Shuts out agents that fail where others do not, and lets them back on trial: what `health.ts` decides, kept and acted upon.
 *
 * Invariants:
 * 1. Redis keeps the sentences; every coordinator reads them at each poll, and at once when the bus says so.
 * 2. Only the coordinator that hears an agent's results judges it, so that no two write about one agent, but for an operator's word.
 * 3. A quarantined agent is given nothing, one on trial one job at a time. A suspect is given one job at a time of the type it
 *    failed at, as long as others take that type and do not fail alike: a workflow that fails everywhere slows nobody down.
 * 4. A suspect that others have shown too little for gets one such job per quarantine time: nothing waits for ever.
 * 5. A job that fails on trial has not failed: it goes back to its queue, unless nobody else can take it.
 */
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '../../runtime/log.ts';
import { keys } from '../queue/keys.ts';
import { setFields } from '../queue/small-writes.ts';
import { sentence, step } from './health.ts';
import type { Health, Others, Sentence, Standing } from './health.ts';

export interface QuarantineOptions {
  readonly redis: Redis | Cluster;
  readonly namespace: string;
  readonly health: Health;
  readonly times: { readonly quarantineMs: number; readonly quarantineMaxMs: number };
  readonly now: () => number;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** Whether an agent other than this one takes jobs of the type. */
  readonly hasOthers: (type: string, agentId: string) => boolean;
  /** Some agent may be given more than before. */
  readonly onRoom: () => void;
  /** The other coordinators should read again. */
  readonly onWord: () => void;
  readonly onError: (error: unknown) => void;
}

/** A job of an agent that has ended, by what an executor or its process did. */
export interface Heard {
  readonly agentId: string;
  readonly type: string;
  readonly ok: boolean;
  /** Of the failure. */
  readonly reason: string;
  /** It was given to an agent on trial. */
  readonly onTrial: boolean;
}

export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #others: Others;
  #sentences: ReadonlyMap<string, Sentence> = new Map();
  /** Jobs an agent may hold, where that is bounded. */
  readonly #limits = new Map<string, number>();
  /** The same by type, of suspects. */
  readonly #typeLimits = new Map<string, ReadonlyMap<string, number>>();
  /** Shut out, but nobody else could run what it failed at when the poll last looked. */
  readonly #alone = new Set<string>();
  /** Rises with each word of this coordinator: what was read before it is out of date. */
  #revision = 0;

  constructor(options: QuarantineOptions) {
    this.#options = options;
    this.#others = {
      hasOthers: options.hasOthers,
      isShutOut: (agentId) => this.#sentences.has(agentId),
    };
  }

  /** Jobs of a type it may hold. */
  typeLimitOf(agentId: string, type: string): number {
    return this.#typeLimits.get(agentId)?.get(type) ?? Number.POSITIVE_INFINITY;
  }

  /** Jobs it may hold. */
  limitOf(agentId: string): number {
    return this.#limits.get(agentId) ?? Number.POSITIVE_INFINITY;
  }

  standingOf(agentId: string): Standing {
    const { now, health } = this.#options;
    const found = this.#sentences.get(agentId);
    if (found === undefined) return health.isSuspect(agentId) ? 'suspect' : 'open';
    const isOver = found.untilMs !== 0 && (found.untilMs <= now() || this.#alone.has(agentId));
    return step('quarantined', { isDue: isOver });
  }

  sentenceOf(agentId: string): Sentence | undefined {
    return this.#sentences.get(agentId);
  }

  /** Reads the sentences again, and looks at everybody who is under suspicion. */
  async refresh(): Promise<void> {
    const { redis, namespace, health, now, hasOthers } = this.#options;
    const revision = this.#revision;
    const found = await redis.hgetall(keys.quarantine(namespace));
    if (revision === this.#revision) {
      // Let out by somebody else: what it did before is forgiven.
      for (const id of this.#sentences.keys()) if (found[id] === undefined) health.clear(id);
      this.#sentences = new Map(
        Object.entries(found).map(([id, text]) => [id, JSON.parse(text) as Sentence]),
      );
    }
    this.#alone.clear();
    for (const [id, { by, type }] of this.#sentences)
      if (by === 'automatic' && !hasOthers(type, id)) this.#alone.add(id);
    health.prune(now());
    for (const [agentId, types] of [...health.suspects()])
      for (const type of [...types]) this.#judge(agentId, type);
    const changed = new Set([
      ...this.#limits.keys(),
      ...this.#typeLimits.keys(),
      ...this.#sentences.keys(),
      ...health.suspects().keys(),
    ]);
    for (const agentId of changed) this.#weigh(agentId);
  }

  /** A job ended. 'release' = it counts for nothing and goes back. */
  heard({ agentId, type, ok, reason, onTrial }: Heard): 'count' | 'release' {
    const { health, now } = this.#options;
    health.note(agentId, type, ok, now(), reason);
    const found = this.#sentences.get(agentId);
    if (found !== undefined) return onTrial ? this.#tried(agentId, found, { type, ok, reason }) : 'count';
    // What it says about others is looked at by the poll: until then they are held back.
    this.#judge(agentId, type);
    return 'count';
  }

  /** An operator's word. */
  async impose(agentId: string, note: string): Promise<void> {
    const { now } = this.#options;
    const reason = note === '' ? 'An operator said so.' : note;
    await this.#set(agentId, { reason, by: 'operator', sinceMs: now(), untilMs: 0, times: 0, type: '' });
  }

  /** False when it was not shut out. */
  async release(agentId: string): Promise<boolean> {
    if (!this.#sentences.has(agentId)) return false;
    await this.#lift(agentId);
    return true;
  }

  #judge(agentId: string, type: string): void {
    const { health, log, now, times, onError } = this.#options;
    const reason = this.#sentences.has(agentId) ? undefined : health.verdict(agentId, type, this.#others);
    if (reason !== undefined) {
      const made = sentence({ reason, type }, now(), times);
      log.warn({ agentId, capability: type, reason, untilMs: made.untilMs }, 'an agent is quarantined');
      this.#set(agentId, made).catch(onError);
    }
    this.#weigh(agentId);
  }

  #tried(
    agentId: string,
    found: Sentence,
    { type, ok, reason }: Pick<Heard, 'type' | 'ok' | 'reason'>,
  ): 'count' | 'release' {
    const { log, now, times, hasOthers, onError } = this.#options;
    // Well done, but not what it had failed at.
    if (ok && type !== found.type && found.type !== '') return 'count';
    // Its sentence has been renewed since it got this job.
    if (this.standingOf(agentId) !== 'canary') return ok ? 'count' : 'release';
    switch (step('canary', { ok, hasOthers: hasOthers(type, agentId) })) {
      case 'quarantined': {
        const made = sentence({ reason: found.reason, type: found.type }, now(), times, found);
        log.warn(
          { agentId, capability: type, reason, untilMs: made.untilMs },
          'an agent failed its trial and is quarantined again',
        );
        this.#set(agentId, made).catch(onError);
        return 'release';
      }
      case 'suspect':
      case 'open':
        log.info({ agentId, capability: type, ok }, 'the quarantine of an agent is over');
        this.#lift(agentId).catch(onError);
        return 'count';
      default:
        return 'count';
    }
  }

  async #set(agentId: string, made: Sentence): Promise<void> {
    const { redis, namespace, onWord } = this.#options;
    this.#revision++;
    this.#sentences = new Map([...this.#sentences, [agentId, made]]);
    this.#alone.delete(agentId);
    this.#weigh(agentId);
    await setFields(redis, keys.quarantine(namespace), { [agentId]: JSON.stringify(made) });
    this.#revision++;
    onWord();
  }

  async #lift(agentId: string): Promise<void> {
    const { redis, namespace, health, onWord } = this.#options;
    this.#revision++;
    this.#sentences = new Map([...this.#sentences].filter(([id]) => id !== agentId));
    health.clear(agentId);
    this.#weigh(agentId);
    await redis.hdel(keys.quarantine(namespace), agentId);
    this.#revision++;
    onWord();
  }

  #weigh(agentId: string): void {
    const before = this.limitOf(agentId);
    const limit = this.#limitFor(agentId);
    if (limit === Number.POSITIVE_INFINITY) this.#limits.delete(agentId);
    else this.#limits.set(agentId, limit);
    const typesBefore = this.#typeLimits.get(agentId);
    const types = this.#typeLimitsFor(agentId);
    if (types.size === 0) this.#typeLimits.delete(agentId);
    else this.#typeLimits.set(agentId, types);
    const grew = [...(typesBefore ?? [])].some(
      ([type, least]) => (types.get(type) ?? Number.POSITIVE_INFINITY) > least,
    );
    if (limit > before || grew) this.#options.onRoom();
  }

  #limitFor(agentId: string): number {
    switch (this.standingOf(agentId)) {
      case 'open':
      case 'suspect':
        return Number.POSITIVE_INFINITY;
      case 'quarantined':
        return 0;
      case 'canary':
        return 1;
    }
  }

  #typeLimitsFor(agentId: string): ReadonlyMap<string, number> {
    const { health, hasOthers } = this.#options;
    const limits = new Map<string, number>();
    for (const type of health.suspects().get(agentId) ?? []) {
      if (!hasOthers(type, agentId) || health.isAlike(agentId, type, this.#others)) continue;
      limits.set(type, this.#isHeldBack(agentId, type) ? 0 : 1);
    }
    return limits;
  }

  /** Until the others have shown something it gets one job a while. */
  #isHeldBack(agentId: string, type: string): boolean {
    const { health, now, times } = this.#options;
    const isRecent = health.lastAt(agentId, type) + times.quarantineMs > now();
    return isRecent && health.isUndecided(agentId, type, this.#others);
  }
}
