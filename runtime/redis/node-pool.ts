/**
 * The subscriber's connections, one a Redis node, opened when first asked for. Sibling: subscriber.ts, which decides what
 * to subscribe where.
 *
 * Invariants: a connection that ends or times out is dropped, reported `lost` once, and opened anew by the next use (no
 * reconnecting behind the caller's back); a node is tried again only after the others it knows were.
 */
import { Redis } from 'ioredis';
import { placeOptions, serverOptions } from './connection-options.ts';
import type { ConnectionSettings } from './connection-options.ts';
import { addressKey, parseAddress } from './target.ts';
import type { RedisTarget } from './target.ts';

interface PoolEvents {
  message(channel: string, message: string): void;
  /** Everything subscribed on this node is subscribed no more, or may not be. */
  lost(node: string): void;
  /** A slot is served elsewhere: some of what is subscribed on this node may be gone. */
  moved(node: string): void;
}

interface Connection {
  readonly client: Redis;
  readonly ready: Promise<void>;
}

/** Key of the only node of a target that is not a Cluster. */
const ONLY = 'only';

export class NodePool {
  readonly #target: RedisTarget;
  readonly #settings: ConnectionSettings;
  readonly #events: PoolEvents;
  readonly #open = new Map<string, Connection>();
  /** Known nodes, the ones that failed last at the end. */
  #known: string[];
  /** Where a channel was found last. */
  readonly #hints = new Map<string, string>();

  constructor(target: RedisTarget, settings: ConnectionSettings, events: PoolEvents) {
    this.#target = target;
    this.#settings = settings;
    this.#events = events;
    this.#known = target.kind === 'cluster' ? target.seeds.map(addressKey) : [ONLY];
  }

  /** The node that served `channel` last, or the one that is most likely up. */
  anyNode(channel?: string): string {
    const hint = channel === undefined ? undefined : this.#hints.get(channel);
    return hint ?? this.#known[0] ?? ONLY;
  }

  isOpen(node: string): boolean {
    return this.#open.get(node)?.client.status === 'ready';
  }

  openNodes(): string[] {
    return [...this.#open.keys()];
  }

  async connect(node: string): Promise<Redis> {
    let connection = this.#open.get(node);
    if (connection === undefined) {
      const client = this.#create(node);
      connection = { client, ready: client.connect() };
      this.#open.set(node, connection);
    }
    await connection.ready;
    return connection.client;
  }

  /** Undefined when `node` serves the channel; the node Redis names instead otherwise. */
  async subscribe(node: string, channel: string): Promise<string | undefined> {
    try {
      const client = await this.connect(node);
      await client.ssubscribe(channel);
      this.#hints.set(channel, node);
      return undefined;
    } catch (error) {
      const movedTo = movedAddress(error as Error, node);
      if (movedTo === undefined) {
        // A connection that does not answer is as good as none.
        this.#drop(node);
        this.#hints.delete(channel);
        throw error;
      }
      if (!this.#known.includes(movedTo)) this.#known.push(movedTo);
      this.#hints.set(channel, movedTo);
      return movedTo;
    }
  }

  async unsubscribe(node: string, channel: string): Promise<void> {
    this.#hints.delete(channel);
    const client = this.#open.get(node)?.client;
    if (client?.status === 'ready') await client.sunsubscribe(channel).catch(() => this.#drop(node));
  }

  async close(): Promise<void> {
    const clients = [...this.#open.values()].map(({ client }) => client);
    this.#open.clear();
    const ends = clients
      .filter(({ status }) => status !== 'end')
      .map((client) => {
        const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
        client.disconnect();
        return ended;
      });
    await Promise.all(ends);
  }

  #create(node: string): Redis {
    const target = this.#target;
    const client = new Redis({
      ...serverOptions(target, this.#settings),
      ...(target.kind === 'cluster' ? parseAddress(node, 6379) : placeOptions(target)),
      retryStrategy: null,
    });
    // The failure reaches the caller through the promise of the command.
    client.on('error', () => undefined);
    client.on('smessage', (channel: string, message: string) => this.#events.message(channel, message));
    // Redis answered MOVED, or ended a subscription by itself.
    client.on('moved', () => this.#events.moved(node));
    client.once('end', () => {
      if (this.#open.get(node)?.client === client) this.#drop(node);
    });
    return client;
  }

  #drop(node: string): void {
    const connection = this.#open.get(node);
    if (connection === undefined) return;
    this.#open.delete(node);
    connection.client.disconnect();
    this.#known = [...this.#known.filter((key) => key !== node), node];
    this.#events.lost(node);
  }
}

/** `MOVED 3999 127.0.0.1:6381`; an empty host means the node that answered. */
function movedAddress(error: Error, answering: string): string | undefined {
  const place = /^MOVED \d+ (\S+)$/.exec(error.message)?.[1];
  if (place === undefined) return undefined;
  const full = place.startsWith(':') ? `${parseAddress(answering, 6379).host}${place}` : place;
  return addressKey(parseAddress(full, 6379));
}
