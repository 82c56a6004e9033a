/**
 * Who of the connected agents could run a class, as of the last poll.
 *
 * Invariants:
 * 1. Answers are remembered until the next poll or the next class learnt, so asking is a look-up.
 * 2. Who is in quarantine makes nothing runnable; who is paused does, but is none of the others to whom a job may be left.
 */
import { canRun } from '../queue/match.ts';
import type { Classes } from './classes.ts';
import type { ConnectedAgent, Fleet } from './fleet.ts';

/** Agents remembered per class: more say nothing more. */
const ENOUGH = 2;

export interface Standings {
  /** Whether an agent takes jobs. */
  isOpen(agentId: string): boolean;
  isShutOut(agentId: string): boolean;
}

interface Found {
  readonly isRunnable: boolean;
  /** Ids of the first agents that can run it and take jobs. */
  readonly open: readonly string[];
}

export class Eligibility {
  readonly #standings: Standings;
  readonly #fleet: Pick<Fleet, 'connected'>;
  readonly #classes: Pick<Classes, 'needs' | 'revision'>;
  #agents: readonly ConnectedAgent[] = [];
  readonly #found = new Map<string, Found>();
  #revision = -1;

  constructor(
    fleet: Pick<Fleet, 'connected'>,
    classes: Pick<Classes, 'needs' | 'revision'>,
    standings: Standings,
  ) {
    this.#fleet = fleet;
    this.#classes = classes;
    this.#standings = standings;
  }

  /** Connected agents, as of the last poll. */
  get agents(): readonly ConnectedAgent[] {
    return this.#agents;
  }

  async refresh(): Promise<void> {
    this.#agents = await this.#fleet.connected();
    this.#found.clear();
  }

  isRunnable(queue: string): boolean {
    return this.#eligible(queue).isRunnable;
  }

  /** Whether an agent other than this one would run the class. */
  hasOthers(queue: string, agentId: string): boolean {
    const { open } = this.#eligible(queue);
    return open.length > 1 || (open.length === 1 && open[0] !== agentId);
  }

  #eligible(queue: string): Found {
    if (this.#revision !== this.#classes.revision) {
      this.#found.clear();
      this.#revision = this.#classes.revision;
    }
    let found = this.#found.get(queue);
    if (found === undefined) {
      found = this.#find(queue);
      this.#found.set(queue, found);
    }
    return found;
  }

  #find(queue: string): Found {
    const need = this.#classes.needs.get(queue);
    const open: string[] = [];
    let isRunnable = false;
    if (need === undefined) return { isRunnable, open };
    for (const { id, profile } of this.#agents) {
      if (this.#standings.isShutOut(id) || !canRun(profile, need).ok) continue;
      isRunnable = true;
      if (this.#standings.isOpen(id)) open.push(id);
      if (open.length === ENOUGH) break;
    }
    return { isRunnable, open };
  }
}
