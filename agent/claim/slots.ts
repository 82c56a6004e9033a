/**
 * How many jobs this agent runs, and holds, at once. Pure bookkeeping: no clock, no I/O.
 *
 * A held job is `waiting` (in the local queue) or `running`. Each type belongs to a group that shares slots (`slots-plan.ts`
 * says which). With `promised` = the longest queue ahead that was ever allowed:
 *
 *   running(t) <= concurrency(t)                    running(g) <= total(g)
 *   held(t)    <= concurrency(t) + promised(t)      held(g)    <= total(g) + promised(g)
 *
 * What is asked for uses the queue ahead as it is now:
 *
 *   free(g)     = total(g) + max over t in g of ahead(t) - held(g)
 *   free(t)     = min(concurrency(t) + ahead(t) - held(t), free(g))
 *   freeTotal() = sum over g of free(g)
 *
 * 1. The four limits hold after every call, whatever the order of calls.
 * 2. Lowering `ahead` never makes an offer that was asked for earlier inadmissible: admission uses `promised`.
 * 3. Waiting jobs of several types do not add up: the queue ahead of a group is the deepest single one.
 * 4. A type that needs GPUs or counted memory has no queue ahead, and no more jobs than the ledger has room for: what does not fit
 *    now is not asked for.
 */
import type { Ledger, Placement } from './ledger.ts';

interface Group {
  readonly total: number;
  waiting: number;
  running: number;
  ahead: number;
  promised: number;
}

interface TypeSlots {
  readonly concurrency: number;
  readonly group: Group;
  waiting: number;
  running: number;
  ahead: number;
  promised: number;
}

export interface SlotGroup {
  readonly total: number;
  readonly types: readonly { readonly type: string; readonly concurrency: number }[];
}

export class Slots {
  readonly #maxAhead: number;
  readonly #groups: Group[] = [];
  readonly #types = new Map<string, TypeSlots>();
  readonly #ledger: Ledger | undefined;
  readonly #paused = new Set<string>();

  constructor(groups: readonly SlotGroup[], maxAhead: number, ledger?: Ledger) {
    this.#maxAhead = maxAhead;
    this.#ledger = ledger;
    for (const { total, types } of groups) {
      const group = { total, waiting: 0, running: 0, ahead: 0, promised: 0 };
      this.#groups.push(group);
      for (const { type, concurrency } of types) {
        this.#types.set(type, { concurrency, group, waiting: 0, running: 0, ahead: 0, promised: 0 });
      }
    }
  }

  get total(): number {
    return sum(this.#groups, (group) => group.total);
  }

  get waiting(): number {
    return sum(this.#groups, (group) => group.waiting);
  }

  get running(): number {
    return sum(this.#groups, (group) => group.running);
  }

  types(): IterableIterator<string> {
    return this.#types.keys();
  }

  knows(type: string): boolean {
    return this.#types.has(type);
  }

  /** Types nothing is asked for. */
  get pausedTypes(): readonly string[] {
    return [...this.#paused];
  }

  pauseType(type: string, paused: boolean): void {
    if (paused) this.#paused.add(type);
    else this.#paused.delete(type);
  }

  isPaused(type: string): boolean {
    return this.#paused.has(type);
  }

  /** Sets how many jobs of the type may wait. */
  setAhead(type: string, ahead: number): void {
    const slots = this.#types.get(type);
    const bounded = Math.min(Math.max(0, Math.floor(ahead)), this.#maxAhead);
    if (slots === undefined || slots.ahead === bounded || this.#ledger?.counts(type) === true) return; // 4
    slots.ahead = bounded;
    slots.promised = Math.max(slots.promised, bounded);
    const { group } = slots;
    group.ahead = 0;
    for (const each of this.#types.values())
      if (each.group === group) group.ahead = Math.max(group.ahead, each.ahead);
    group.promised = Math.max(group.promised, group.ahead);
  }

  /** Jobs of any type to ask for now. */
  freeTotal(): number {
    return sum(this.#groups, freeOf);
  }

  /** Jobs of this type to ask for now. */
  free(type: string): number {
    const slots = this.#types.get(type);
    if (slots === undefined || this.#paused.has(type)) return 0;
    const free = Math.max(0, Math.min(slots.concurrency + slots.ahead - held(slots), freeOf(slots.group)));
    return free === 0 ? 0 : Math.max(0, this.#room(type, free + slots.waiting) - slots.waiting);
  }

  /** Room for one more job of this type (2). */
  admits(type: string): boolean {
    const slots = this.#types.get(type);
    if (slots === undefined) return false;
    const { group } = slots;
    return held(slots) < slots.concurrency + slots.promised && held(group) < group.total + group.promised;
  }

  /** What one more job of this type would lack; undefined = nothing, as far as the ledger goes. */
  lacks(type: string): 'vram' | 'memory' | undefined {
    const waiting = this.#types.get(type)?.waiting ?? 0;
    if (this.#room(type, waiting + 1) > waiting) return undefined;
    return this.#ledger?.missing(type) ?? 'vram';
  }

  /** True when a waiting job of this type could run now. */
  canRun(type: string): boolean {
    const slots = this.#types.get(type);
    if (slots === undefined || slots.waiting === 0) return false;
    if (slots.running >= slots.concurrency || slots.group.running >= slots.group.total) return false;
    return this.#room(type, 1) > 0;
  }

  /** Takes an admitted job into the local queue. */
  hold(type: string): void {
    if (!this.admits(type)) throw new Error(`slots: no room to hold another ${type}`);
    const slots = this.#types.get(type) as TypeSlots;
    slots.waiting += 1;
    slots.group.waiting += 1;
  }

  /** A waiting job begins to run, on what it is given; undefined where it needs nothing of its own. */
  run(type: string): Placement | undefined {
    if (!this.canRun(type)) throw new Error(`slots: no slot to run another ${type}`);
    const slots = this.#types.get(type) as TypeSlots;
    slots.waiting -= 1;
    slots.running += 1;
    slots.group.waiting -= 1;
    slots.group.running += 1;
    return this.#ledger?.take(type);
  }

  /** A held job is over; `placement`: what `run` gave it. */
  release(type: string, was: 'waiting' | 'running', placement?: Placement): void {
    const slots = this.#types.get(type);
    if (slots === undefined || slots[was] === 0) throw new Error(`slots: no ${was} ${type} to end`);
    slots[was] -= 1;
    slots.group[was] -= 1;
    if (placement !== undefined) this.#ledger?.give(placement);
  }

  #room(type: string, most: number): number {
    return this.#ledger === undefined ? most : this.#ledger.room(type, most);
  }
}

function held(of: { readonly waiting: number; readonly running: number }): number {
  return of.waiting + of.running;
}

function freeOf(group: Group): number {
  return Math.max(0, group.total + group.ahead - held(group));
}

function sum(groups: readonly Group[], of: (group: Group) => number): number {
  let total = 0;
  for (const group of groups) total += of(group);
  return total;
}
