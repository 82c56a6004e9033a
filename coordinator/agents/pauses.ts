/**
 * What operators paused: queues, step types and agents, and the drains their agents have not been told of yet.
 *
 * Invariants: Redis keeps it; every coordinator reads it at each poll, and at once when the bus says so. The words of this
 * coordinator hold here at once.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys } from '../queue/keys.ts';
import { setFields } from '../queue/small-writes.ts';

export interface PauseRecord {
  readonly by: string;
  readonly note: string;
  readonly sinceMs: number;
}

/** An agent is to be told to drain, on this very session. */
export interface DrainRecord extends PauseRecord {
  readonly sessionId: string;
}

export interface PausesOptions {
  readonly redis: Redis | Cluster;
  readonly namespace: string;
  readonly now: () => number;
  /** The other coordinators should read again. */
  readonly onWord: () => void;
}

type Kind = 'queue' | 'agent' | 'drain';

export class Pauses {
  readonly #options: PausesOptions;
  #fields: ReadonlyMap<string, PauseRecord> = new Map();
  /** Rises with each word of this coordinator: what was read before it is out of date. */
  #revision = 0;

  constructor(options: PausesOptions) {
    this.#options = options;
  }

  /** Of a queue by itself, or of its whole step type. */
  ofQueue(name: string, type: string): PauseRecord | undefined {
    if (this.#fields.size === 0) return undefined;
    return this.#fields.get(`queue:${name}`) ?? this.#fields.get(`queue:${type}`);
  }

  ofAgent(agentId: string): PauseRecord | undefined {
    return this.#fields.size === 0 ? undefined : this.#fields.get(`agent:${agentId}`);
  }

  /** Drains nobody has passed on yet, by agent. */
  drains(): [agentId: string, drain: DrainRecord][] {
    return [...this.#fields].flatMap(([field, record]): [string, DrainRecord][] =>
      field.startsWith('drain:') ? [[field.slice(6), record as DrainRecord]] : [],
    );
  }

  async refresh(): Promise<void> {
    const { redis, namespace } = this.#options;
    const revision = this.#revision;
    const found = await redis.hgetall(keys.paused(namespace));
    if (revision !== this.#revision) return;
    this.#fields = new Map(
      Object.entries(found).map(([field, text]) => [field, JSON.parse(text) as PauseRecord]),
    );
  }

  /** Paused once more it keeps its beginning and gets the new note. */
  async pause(kind: 'queue' | 'agent', name: string, note: string): Promise<PauseRecord> {
    const sinceMs = this.#fields.get(`${kind}:${name}`)?.sinceMs ?? this.#options.now();
    const record = { by: 'operator', note, sinceMs };
    await this.#set(kind, name, record);
    return record;
  }

  /** False when it was not paused by this name. */
  async resume(kind: 'queue' | 'agent', name: string): Promise<boolean> {
    if (!this.#fields.has(`${kind}:${name}`)) return false;
    await this.#take(kind, name);
    return true;
  }

  async drain(agentId: string, sessionId: string, note: string): Promise<void> {
    const record: DrainRecord = { by: 'operator', note, sinceMs: this.#options.now(), sessionId };
    await this.#set('drain', agentId, record);
  }

  /** Its agent was told, or is gone. */
  async drained(agentId: string): Promise<void> {
    await this.#take('drain', agentId);
  }

  async #set(kind: Kind, name: string, record: PauseRecord): Promise<void> {
    const { redis, namespace, onWord } = this.#options;
    const field = `${kind}:${name}`;
    this.#revision++;
    this.#fields = new Map([...this.#fields, [field, record]]);
    await setFields(redis, keys.paused(namespace), { [field]: JSON.stringify(record) });
    this.#revision++;
    onWord();
  }

  async #take(kind: Kind, name: string): Promise<void> {
    const { redis, namespace, onWord } = this.#options;
    const field = `${kind}:${name}`;
    this.#revision++;
    this.#fields = new Map([...this.#fields].filter(([known]) => known !== field));
    await redis.hdel(keys.paused(namespace), field);
    this.#revision++;
    onWord();
  }
}
