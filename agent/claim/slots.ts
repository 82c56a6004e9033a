/**
 * How many jobs this agent runs, and holds, at once. Pure bookkeeping: no clock, no I/O.
 *
 * A held job is `waiting` (in the local queue) or `running`. Limits:
 *
 *   running(t) <= concurrency(t)                    running <= total
 *   held(t)    <= concurrency(t) + maxAhead         held    <= total + maxAhead
 *
 * and what is asked for is narrower than what is admitted, because `ahead(t) <= maxAhead`:
 *
 *   freeTotal()  = total + max over t of ahead(t) - held
 *   free(t)      = min(concurrency(t) + ahead(t) - held(t), freeTotal())
 *
 * 1. The four limits hold after every call, whatever the order of calls.
 * 2. Lowering `ahead` never makes an offer that was asked for earlier inadmissible: admission uses `maxAhead`.
 * 3. Waiting jobs of several types do not add up: the queue ahead in all is the deepest single one.
 */

interface TypeSlots {
  readonly concurrency: number;
  ahead: number;
  waiting: number;
  running: number;
}

export class Slots {
  readonly total: number;
  readonly maxAhead: number;
  #types = new Map<string, TypeSlots>();
  #waiting = 0;
  #running = 0;
  #deepest = 0;

  constructor(total: number, maxAhead: number, concurrency: Iterable<readonly [type: string, concurrency: number]>) {
    this.total = total;
    this.maxAhead = maxAhead;
    for (const [type, limit] of concurrency) this.#types.set(type, { concurrency: limit, ahead: 0, waiting: 0, running: 0 });
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  get held(): number {
    return this.#waiting + this.#running;
  }

  types(): IterableIterator<string> {
    return this.#types.keys();
  }

  knows(type: string): boolean {
    return this.#types.has(type);
  }

  concurrency(type: string): number {
    return this.#types.get(type)?.concurrency ?? 0;
  }

  /** Sets how many jobs of the type may wait; true when that changed something. */
  setAhead(type: string, ahead: number): boolean {
    const slots = this.#types.get(type);
    const bounded = Math.min(Math.max(0, Math.floor(ahead)), this.maxAhead);
    if (slots === undefined || slots.ahead === bounded) return false;
    slots.ahead = bounded;
    this.#deepest = 0;
    for (const each of this.#types.values()) this.#deepest = Math.max(this.#deepest, each.ahead);
    return true;
  }

  /** Jobs of any type to ask for now. */
  freeTotal(): number {
    return Math.max(0, this.total + this.#deepest - this.held);
  }

  /** Jobs of this type to ask for now. */
  free(type: string): number {
    const slots = this.#types.get(type);
    if (slots === undefined) return 0;
    return Math.max(0, Math.min(slots.concurrency + slots.ahead - slots.waiting - slots.running, this.freeTotal()));
  }

  /** Room in all for one more job (2). */
  admitsAny(): boolean {
    return this.held < this.total + this.maxAhead;
  }

  /** Room for one more job of this type (2). */
  admits(type: string): boolean {
    const slots = this.#types.get(type);
    return slots !== undefined && slots.waiting + slots.running < slots.concurrency + this.maxAhead;
  }

  /** True when a waiting job of this type could run now. */
  canRun(type: string): boolean {
    const slots = this.#types.get(type);
    return slots !== undefined && slots.waiting > 0 && slots.running < slots.concurrency && this.#running < this.total;
  }

  /** True when no slot is left for any type. */
  get full(): boolean {
    return this.#running >= this.total;
  }

  /** Takes an admitted job into the local queue. */
  hold(type: string): void {
    if (!this.admitsAny() || !this.admits(type)) throw new Error(`slots: no room to hold another ${type}`);
    (this.#types.get(type) as TypeSlots).waiting += 1;
    this.#waiting += 1;
  }

  /** A waiting job begins to run. */
  run(type: string): void {
    if (!this.canRun(type)) throw new Error(`slots: no slot to run another ${type}`);
    const slots = this.#types.get(type) as TypeSlots;
    slots.waiting -= 1;
    slots.running += 1;
    this.#waiting -= 1;
    this.#running += 1;
  }

  /** A held job is over. */
  release(type: string, was: 'waiting' | 'running'): void {
    const slots = this.#types.get(type);
    if (slots === undefined || slots[was] === 0) throw new Error(`slots: no ${was} ${type} to end`);
    slots[was] -= 1;
    if (was === 'waiting') this.#waiting -= 1;
    else this.#running -= 1;
  }
}

/** Slots in all for `auto`: never fewer than cores, never fewer than the most parallel executor can use. */
export function autoSlots(cores: number, concurrency: Iterable<number>): number {
  return Math.max(1, cores, ...concurrency);
}
