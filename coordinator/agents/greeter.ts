/**
 * Brings agents in and lets them go: makes the session, confirms held jobs, welcomes, joins the fleet.
 *
 * Invariant: an agent that connects again replaces its older session here; jobs of that one are not touched, the new
 * session names them in its hello.
 */
import type { Hello__Output } from '../../proto/gen/index.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { Classes } from './classes.ts';
import type { Completions } from './completions.ts';
import type { Fleet } from './fleet.ts';
import type { Outbox } from './outbox.ts';
import { Matching, profileKey, profileOf } from './profiles.ts';
import { Session } from './session.ts';

/** Protocol revision this server speaks. */
const REVISION = 1;
const MAX_OUTPUT_BYTES = 1024 * 1024;

export interface GreeterOptions {
  readonly coordinatorId: string;
  readonly store: Store;
  readonly classes: Classes;
  readonly fleet: Fleet;
  readonly completions: Completions;
  readonly times: { readonly heartbeatMs: number; readonly offerMs: number; readonly leaseMs: number };
  readonly now: () => number;
  /** Credits grew somewhere. */
  readonly onCredit: () => void;
  readonly onError: (error: unknown) => void;
}

export class Greeter {
  readonly #options: GreeterOptions;
  readonly #matching: Matching;
  readonly #open = new Set<Outbox>();
  #draining = false;

  constructor(options: GreeterOptions) {
    this.#options = options;
    this.#matching = new Matching(options.classes);
  }

  async greet(sessionId: string, hello: Hello__Output, outbox: Outbox): Promise<Session> {
    if (this.#draining) throw new DibsError('DRAINING', 'This coordinator is leaving; connect to another.');
    const { coordinatorId, store, classes, fleet, completions, times, now, onCredit, onError } =
      this.#options;
    let profile = profileOf(hello.advertisement);
    let key = profileKey(profile);
    const session = new Session({
      sessionId,
      hello,
      store,
      completions,
      outbox,
      now,
      classesIn: (cell: Cell) => this.#matching.classesIn(cell, profile, key),
      onCredit,
      onAdvertisement: (changed) => {
        profile = profileOf(changed.hello.advertisement);
        key = profileKey(profile);
        this.#advertised(changed.hello);
        fleet.update(changed, null);
        onCredit();
      },
      onHeartbeat: (living, heartbeat) => fleet.update(living, heartbeat),
      onDrain: (leaving) => fleet.update(leaving, null),
      onError,
    });
    await classes.addTypes(hello.advertisement?.executors ?? []);
    const { confirmed, lost } = await session.greet();
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

  #advertised(hello: Hello__Output): void {
    this.#options.classes.addTypes(hello.advertisement?.executors ?? []).catch(this.#options.onError);
  }
}
