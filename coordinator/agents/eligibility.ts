/**
 * Who of the connected agents could run a class, as of the last poll.
 *
 * Invariant: answers are remembered until the next poll or the next class learnt, so asking is a look-up.
 */
import { canRun } from '../queue/match.ts';
import type { Classes } from './classes.ts';
import type { ConnectedAgent, Fleet } from './fleet.ts';

/** Agents remembered per class: more say nothing more. */
const ENOUGH = 2;

export class Eligibility {
  readonly #fleet: Pick<Fleet, 'connected'>;
  readonly #classes: Pick<Classes, 'needs' | 'revision'>;
  #agents: readonly ConnectedAgent[] = [];
  /** Class → ids of the first agents that can run it. */
  readonly #found = new Map<string, readonly string[]>();
  #revision = -1;

  constructor(fleet: Pick<Fleet, 'connected'>, classes: Pick<Classes, 'needs' | 'revision'>) {
    this.#fleet = fleet;
    this.#classes = classes;
  }

  async refresh(): Promise<void> {
    this.#agents = await this.#fleet.connected();
    this.#found.clear();
  }

  isRunnable(queue: string): boolean {
    return this.#eligible(queue).length > 0;
  }

  /** Whether an agent other than this one could run the class. */
  hasOthers(queue: string, agentId: string): boolean {
    const ids = this.#eligible(queue);
    return ids.length > 1 || (ids.length === 1 && ids[0] !== agentId);
  }

  #eligible(queue: string): readonly string[] {
    if (this.#revision !== this.#classes.revision) {
      this.#found.clear();
      this.#revision = this.#classes.revision;
    }
    let ids = this.#found.get(queue);
    if (ids === undefined) {
      ids = this.#find(queue);
      this.#found.set(queue, ids);
    }
    return ids;
  }

  #find(queue: string): readonly string[] {
    const need = this.#classes.needs.get(queue);
    const ids: string[] = [];
    if (need === undefined) return ids;
    for (const { id, profile } of this.#agents) {
      if (canRun(profile, need).ok) ids.push(id);
      if (ids.length === ENOUGH) break;
    }
    return ids;
  }
}
