/**
 * The supervised connection: one loop that keeps a session to some coordinator alive; states in `states.ts`.
 *
 * 1. At most one session at a time; the outbox is attached to it exactly while it is live.
 * 2. A refused credential ends the link for good: every coordinator would refuse it.
 * 3. A coordinator that leaves is left in good order: what is said is flushed, acks under way are read, the next
 *    address is tried at once. Jobs know nothing of it.
 * 4. A session that lived shorter than the policy's `stableMs` counts as a failure, however it ended.
 */
import type { ChannelCredentials } from '@grpc/grpc-js';
import { LINK_BACKOFF, backoffMs, failuresAfter } from './backoff.ts';
import type { BackoffPolicy } from './backoff.ts';
import { coordinators, currentAddress, nextAddress } from './coordinators.ts';
import type { Coordinators } from './coordinators.ts';
import type { Outbox } from './outbox.ts';
import { Session } from './session.ts';
import type { SessionEnd, SessionEvents } from './session.ts';
import { allows, step } from './states.ts';
import type { LinkEvent, LinkState } from './states.ts';
import type { Down, Hello, Welcome } from './wire.ts';
import type { HostLog as Log } from '../jobs/log.ts';

/** A stream that is being left must be flushed and ended, by both sides, within this time. */
const LEAVE_MS = 2_000;
/** Jitter before going to another coordinator when one leaves. */
const MOVE_MS = 100;

export interface LinkHandlers {
  hello(): Hello;
  live(welcome: Welcome, address: string): void;
  message(down: Down): void;
  /** The session is gone; the link goes on by itself. */
  lost(detail: string): void;
}

export interface LinkOptions {
  readonly addresses: readonly string[];
  readonly credentials: ChannelCredentials;
  /** Read again for each attempt, so that a rotated token is used. */
  readonly token: () => string;
  readonly outbox: Outbox;
  readonly handlers: LinkHandlers;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
  readonly backoff?: BackoffPolicy;
}

/** How the link came to its end. */
export type LinkEnd = { readonly kind: 'stopped' } | { readonly kind: 'refused'; readonly detail: string };

export class Link {
  readonly #options: LinkOptions;
  readonly #policy: BackoffPolicy;
  #state: LinkState = 'idle';
  #list: Coordinators;
  #failures = 0;
  #session: Session | undefined;
  #welcomedAt: number | undefined;
  #wake: (() => void) | undefined;
  #stopping = false;
  #end: LinkEnd = { kind: 'stopped' };
  #lastError = '';
  #loop: Promise<LinkEnd> | undefined;
  readonly #liveWaiters: (() => void)[] = [];

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#policy = options.backoff ?? LINK_BACKOFF;
    this.#list = coordinators(options.addresses, options.random());
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Coordinator of the session, or the one to be tried next. */
  get address(): string {
    return this.#session?.address ?? currentAddress(this.#list);
  }

  /** Why the last attempt or session ended; empty while one lives. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Starts the loop; the promise resolves when the link is closed. */
  start(): Promise<LinkEnd> {
    this.#loop ??= this.#run();
    return this.#loop;
  }

  /** There is something to say that cannot wait: the next attempt begins now. */
  hurry(): void {
    if (this.#state !== 'waiting') return;
    this.#failures = 0;
    this.#wake?.();
  }

  /** Resolves at once in a session, else with the next one, or after `timeoutMs`. */
  async whenLive(timeoutMs: number): Promise<void> {
    if (this.#state === 'live' || this.#closed()) return;
    this.hurry();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => void this.#liveWaiters.push(resolve)),
      new Promise<void>((resolve) => void (timer = setTimeout(resolve, timeoutMs))),
    ]);
    clearTimeout(timer);
  }

  /** Ends the link in good order: what is said is flushed first. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#state === 'live') this.#leave('stop');
    else if (this.#state !== 'draining') {
      this.#session?.abort('the agent stops');
      if (this.#state !== 'closed') this.#go('stop');
      this.#wake?.();
    }
    await this.#loop;
  }

  async #run(): Promise<LinkEnd> {
    if (this.#state === 'closed') return this.#end;
    this.#go('start');
    while (!this.#closed()) {
      const end = await this.#attempt();
      if (this.#closed()) break;
      const waitMs = this.#afterEnd(end);
      if (this.#closed()) break;
      await this.#sleep(waitMs);
      if (this.#closed()) break;
      this.#go('retry');
    }
    return this.#end;
  }

  /** One session from dial to end. */
  async #attempt(): Promise<SessionEnd> {
    this.#welcomedAt = undefined;
    let resolve: (end: SessionEnd) => void = () => {};
    const ended = new Promise<SessionEnd>((done) => (resolve = done));
    const { token, credentials } = this.#options;
    try {
      this.#session = new Session({
        address: currentAddress(this.#list),
        credentials,
        token: token(),
        events: this.#events((end) => resolve(end)),
      });
    } catch (error) {
      // A token file that is being replaced, an address nobody can parse: may pass.
      return { kind: 'lost', detail: (error as Error).message };
    }
    const end = await ended;
    this.#session = undefined;
    return end;
  }

  #events(ended: (end: SessionEnd) => void): SessionEvents {
    const { handlers, outbox, log } = this.#options;
    return {
      opened: () => {
        this.#go('opened');
        this.#session?.greet(handlers.hello());
      },
      welcomed: (welcome) => {
        this.#go('welcomed');
        this.#welcomedAt = this.#options.now();
        this.#lastError = '';
        log.info({ coordinator: this.address, sessionId: welcome.sessionId }, 'connected');
        outbox.attach(this.#session as Session);
        handlers.live(welcome, this.address);
        for (const resolve of this.#liveWaiters.splice(0)) resolve();
      },
      message: (down) => {
        handlers.message(down);
        if (down.drain) this.#coordinatorLeaves();
      },
      leaving: () => this.#coordinatorLeaves(),
      drained: () => {
        outbox.unblocked();
        this.#finishOnceFlushed();
      },
      ended: (end) => {
        outbox.detach();
        ended(end);
      },
    };
  }

  #coordinatorLeaves(): void {
    if (this.#state !== 'live') return;
    this.#options.log.info({ coordinator: this.address }, 'the coordinator is leaving');
    this.#leave('leave');
  }

  /** Live → draining: flush, say no more, let the other side end it (3). */
  #leave(event: 'leave' | 'stop'): void {
    this.#go(event);
    this.#session?.leaveWithin(LEAVE_MS);
    this.#options.outbox.flush();
    this.#finishOnceFlushed();
  }

  #finishOnceFlushed(): void {
    if (this.#state !== 'draining' || !this.#options.outbox.empty) return;
    this.#options.outbox.detach();
    this.#session?.finish();
  }

  /** Moves to `waiting` or `closed`; returns the wait. */
  #afterEnd(end: SessionEnd): number {
    const { handlers, log, random, now } = this.#options;
    const address = currentAddress(this.#list);
    this.#lastError = end.detail;
    if (end.kind === 'refused') {
      this.#end = { kind: 'refused', detail: end.detail };
      log.error({ coordinator: address, reason: end.detail }, 'the coordinator refused the credential');
      this.#go('refused');
      return 0;
    }
    const moving = this.#state === 'draining';
    const uptimeMs = this.#welcomedAt === undefined ? 0 : now() - this.#welcomedAt;
    this.#failures = failuresAfter(this.#failures, uptimeMs, this.#policy);
    this.#list = nextAddress(this.#list);
    const settled = moving && this.#failures === 0;
    const waitMs = settled
      ? Math.floor(random() * MOVE_MS)
      : backoffMs(this.#failures, this.#policy, random());
    if (this.#stopping && moving) this.#go('finished');
    else this.#go(moving ? 'left' : 'lost');
    log[moving ? 'debug' : 'warn'](
      { coordinator: address, reason: end.detail, retryInMs: waitMs },
      'connection ended',
    );
    if (this.#welcomedAt !== undefined) handlers.lost(end.detail);
    return waitMs;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #closed(): boolean {
    return this.#state === 'closed';
  }

  #go(event: LinkEvent): void {
    if (!allows(this.#state, event) && this.#state === 'closed') return;
    this.#state = step(this.#state, event);
  }
}
