/**
 * Sharded pub/sub (SSUBSCRIBE) that finds its way back: on one server, behind Sentinel, and in a Cluster.
 *
 * Why not the sharded subscribers of ioredis' Cluster: after a slot had moved they stayed silent for good (6.0.0, a real
 * cluster of three), and they say nothing when messages may have been missed. Numbered rules:
 *   1. Where a channel lives is asked of Redis: SSUBSCRIBE anywhere and follow MOVED. No map of slots is kept.
 *   2. A channel that lost its place (connection ended, slot moved away) is placed again, with backoff, until closed.
 *   3. After that its `onGap` listeners are told, once: read what the channel would have announced.
 *   4. Every refreshMs each channel is subscribed anew on its connection (a no-op for Redis): finds half-dead connections
 *      and moves nobody told us of.
 * Delivery is at most once; whoever must not miss anything also looks by itself now and then.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { reconnectDelayMs } from './connection-options.ts';
import type { ConnectionSettings } from './connection-options.ts';
import { NodePool } from './node-pool.ts';
import { parseRedisTarget } from './target.ts';
import type { RedisTarget } from './target.ts';

export type MessageListener = (message: string, channel: string) => void;

export interface SubscriberOptions extends ConnectionSettings {
  readonly target: string | RedisTarget;
  /** Rule 4; default 10 s. */
  readonly refreshMs?: number;
  readonly onError?: (error: Error) => void;
}

export interface Subscriber {
  /** Resolves once Redis confirmed it, however long that takes; rejects when the subscriber is closed first. */
  subscribe(channel: string, listener: MessageListener): Promise<void>;
  /** No message of the channel is delivered after this call. */
  unsubscribe(channel: string): Promise<void>;
  /** Called with each channel whose messages may have been missed. Returns the function that stops it. */
  onGap(listener: (channel: string) => void): () => void;
  /** Idempotent. */
  close(): Promise<void>;
}

interface Subscription {
  readonly channel: string;
  readonly listeners: Set<MessageListener>;
  /** Key of the node that serves it; undefined while it has no place. */
  node: string | undefined;
  /** Had a place before: the next one ends a gap. */
  served: boolean;
  /** The search for a place under way. */
  placing: Promise<void> | undefined;
  readonly confirmed: PromiseWithResolvers<void>;
}

const REFRESH_MS = 10_000;
const MAX_REDIRECTIONS = 5;

/** Resolves when a first node has been reached. */
export async function connectSubscriber(options: SubscriberOptions): Promise<Subscriber> {
  const target = typeof options.target === 'string' ? parseRedisTarget(options.target) : options.target;
  const subscriber = new ShardSubscriber(target, options);
  await subscriber.reach();
  return subscriber;
}

class ShardSubscriber implements Subscriber {
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #gapListeners = new Set<(channel: string) => void>();
  readonly #pool: NodePool;
  readonly #onError: (error: Error) => void;
  readonly #refresh: NodeJS.Timeout;
  readonly #closing = new AbortController();
  /** Nodes that said a slot has moved, to be verified. */
  readonly #suspects = new Set<string>();
  #verifying = false;

  constructor(target: RedisTarget, options: SubscriberOptions) {
    this.#onError = options.onError ?? (() => undefined);
    this.#pool = new NodePool(target, options, {
      message: (channel, message) => this.#deliver(channel, message),
      lost: (node) => this.#displace(node),
      moved: (node) => this.#verify([node]),
    });
    this.#refresh = setInterval(() => this.#verify(this.#pool.openNodes()), options.refreshMs ?? REFRESH_MS);
    this.#refresh.unref();
  }

  async reach(): Promise<void> {
    try {
      await this.#pool.connect(this.#pool.anyNode());
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  subscribe(channel: string, listener: MessageListener): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    let subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) {
      const confirmed = Promise.withResolvers<void>();
      confirmed.promise.catch(() => undefined);
      subscription = {
        channel,
        listeners: new Set(),
        node: undefined,
        served: false,
        placing: undefined,
        confirmed,
      };
      this.#subscriptions.set(channel, subscription);
      this.#repair();
    }
    subscription.listeners.add(listener);
    return subscription.confirmed.promise;
  }

  async unsubscribe(channel: string): Promise<void> {
    const subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) return;
    this.#subscriptions.delete(channel);
    subscription.confirmed.reject(new Error(`Unsubscribed from ${channel}.`));
    if (subscription.node !== undefined) await this.#pool.unsubscribe(subscription.node, channel);
  }

  onGap(listener: (channel: string) => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }

  async close(): Promise<void> {
    const searches = [...this.#subscriptions.values()].flatMap(({ placing }) => placing ?? []);
    clearInterval(this.#refresh);
    this.#closing.abort();
    for (const { confirmed } of this.#subscriptions.values()) confirmed.reject(closed());
    this.#subscriptions.clear();
    await this.#pool.close();
    await Promise.all(searches);
  }

  #deliver(channel: string, message: string): void {
    for (const listener of this.#subscriptions.get(channel)?.listeners ?? []) listener(message, channel);
  }

  #displace(node: string): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.node === node) subscription.node = undefined;
    }
    this.#repair();
  }

  /** Rule 2. Channels look for their places independently: a frozen node holds up its own only. */
  #repair(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.node !== undefined || subscription.placing !== undefined) continue;
      subscription.placing = this.#search(subscription).finally(() => {
        subscription.placing = undefined;
      });
    }
  }

  async #search(subscription: Subscription): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 1; subscription.node === undefined && this.#isWanted(subscription); attempt += 1) {
      try {
        await this.#place(subscription);
      } catch (error) {
        if (signal.aborted) return;
        this.#onError(error as Error);
        await pause(reconnectDelayMs(attempt), undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  /** Rule 1. */
  async #place(subscription: Subscription): Promise<void> {
    const { channel } = subscription;
    let node = this.#pool.anyNode(channel);
    for (let hop = 0; hop < MAX_REDIRECTIONS; hop += 1) {
      const movedTo = await this.#pool.subscribe(node, channel);
      if (movedTo === undefined) return this.#placed(subscription, node);
      node = movedTo;
    }
    throw new Error(`Redis sent the subscriber of ${channel} in a circle.`);
  }

  async #placed(subscription: Subscription, node: string): Promise<void> {
    const { channel } = subscription;
    if (!this.#isWanted(subscription)) return this.#pool.unsubscribe(node, channel);
    // The connection may have ended between its answer and now: then `lost` came too early to see this place.
    if (!this.#pool.isOpen(node)) throw new Error(`The connection to ${node} ended.`);
    subscription.node = node;
    subscription.confirmed.resolve();
    if (subscription.served) for (const listener of this.#gapListeners) listener(channel);
    subscription.served = true;
  }

  /** Rule 4. One round at a time; nodes named meanwhile come after it. */
  #verify(nodes: readonly string[]): void {
    for (const node of nodes) this.#suspects.add(node);
    if (this.#verifying) return;
    this.#verifying = true;
    void this.#verifySuspects().finally(() => {
      this.#verifying = false;
    });
  }

  async #verifySuspects(): Promise<void> {
    for (const suspect of this.#suspects) {
      this.#suspects.delete(suspect);
      const there = [...this.#subscriptions.values()].filter(({ node }) => node === suspect);
      await Promise.all(
        there.map(async (subscription) => {
          const stays = await this.#pool.subscribe(suspect, subscription.channel).then(
            (movedTo) => movedTo === undefined,
            () => false,
          );
          if (!stays && subscription.node === suspect) subscription.node = undefined;
        }),
      );
      this.#repair();
    }
  }

  #isWanted(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.channel) === subscription;
  }
}

function closed(): Error {
  return new Error('The subscriber is closed.');
}
