/**
 * Sessions that may be offered jobs, in groups of agents that can run the same: what is asked of all of them at every turn costs
 * a step a group, not one an agent.
 *
 * Invariant: a session is in one group, that of its key when it was put there; to move it, take it out and put it in again.
 */
import type { Session } from './session.ts';

interface Place {
  readonly key: string;
  index: number;
}

export class Groups {
  readonly #groups = new Map<string, Session[]>();
  readonly #places = new Map<Session, Place>();
  #list: readonly (readonly Session[])[] | undefined = [];

  get size(): number {
    return this.#places.size;
  }

  /** Each with one session or more. */
  get list(): readonly (readonly Session[])[] {
    this.#list ??= [...this.#groups.values()];
    return this.#list;
  }

  put(session: Session): void {
    this.take(session);
    const key = session.matchKey;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = [];
      this.#groups.set(key, group);
      this.#list = undefined;
    }
    this.#places.set(session, { key, index: group.length });
    group.push(session);
  }

  take(session: Session): void {
    const place = this.#places.get(session);
    if (place === undefined) return;
    this.#places.delete(session);
    const group = this.#groups.get(place.key) as Session[];
    const last = group.pop() as Session;
    if (last !== session) {
      group[place.index] = last;
      (this.#places.get(last) as Place).index = place.index;
    }
    if (group.length > 0) return;
    this.#groups.delete(place.key);
    this.#list = undefined;
  }
}
