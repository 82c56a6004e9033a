/**
 * The capability classes of each cell, and the step types ever advertised, as this coordinator knows them.
 *
 * Invariants: a class, once registered in a cell, stays; a coordinator hears of new ones by the bus and, should that
 * word be lost, by comparing counts every poll. `revision` rises whenever a class is learnt.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { CapabilityClass } from '../queue/match.ts';
import { setFields } from '../queue/small-writes.ts';
import type { Requirement } from '../workflow/plan.ts';

export class Classes {
  readonly #redis: Redis | Cluster;
  readonly #namespace: string;
  readonly #cells: readonly Cell[];
  readonly #needs = new Map<string, CapabilityClass>();
  /** Per cell: names known, and those of them that surely stand in Redis. */
  readonly #known: readonly Set<string>[];
  readonly #registered: readonly Set<string>[];
  #types: ReadonlySet<string> = new Set();
  /** Cost formula by step type. */
  #formulas: ReadonlyMap<string, string> = new Map();
  revision = 0;

  constructor(redis: Redis | Cluster, namespace: string, cells: readonly Cell[]) {
    this.#redis = redis;
    this.#namespace = namespace;
    this.#cells = cells;
    this.#known = cells.map(() => new Set());
    this.#registered = cells.map(() => new Set());
  }

  /** Step types ever advertised to this fleet. */
  get types(): ReadonlySet<string> {
    return this.#types;
  }

  /** Cost formula an executor of the type declared; '' = none. */
  formulaOf(type: string): string | undefined {
    return this.#formulas.get(type);
  }

  /** Every class known, by name. */
  get needs(): ReadonlyMap<string, CapabilityClass> {
    return this.#needs;
  }

  /** Classes that may have jobs in a cell. */
  knownIn(cell: Cell): ReadonlySet<string> {
    return this.#known[cell.index] as ReadonlySet<string>;
  }

  /** Whether a submit need not register it. */
  isRegistered(cell: Cell, name: string): boolean {
    return this.#registered[cell.index]?.has(name) === true;
  }

  /** The cell holds its record: a submit that carried it was answered. */
  registered(cell: Cell, name: string): void {
    this.#registered[cell.index]?.add(name);
  }

  /** A class this coordinator enqueues to; the script that enqueues registers it in the cell. */
  learn(cell: Cell, name: string, type: string, requirement: Requirement | null): void {
    const known = this.#known[cell.index] as Set<string>;
    if (known.has(name)) return;
    known.add(name);
    this.#needs.set(name, { type, requirement });
    this.revision++;
  }

  /** Reads what other coordinators registered since; cheap when nothing is new. */
  async refresh(): Promise<void> {
    await Promise.all(
      this.#cells.map(async (cell) => {
        const known = this.#registered[cell.index]?.size;
        if ((await this.#redis.hlen(keys.classes(cell))) === known) return;
        for (const [name, text] of Object.entries(await this.#redis.hgetall(keys.classes(cell)))) {
          const { type, requirement } = JSON.parse(text) as { type: string; requirement: Requirement | null };
          this.learn(cell, name, type, requirement);
          this.registered(cell, name);
        }
      }),
    );
  }

  /** Reads the step types again: another coordinator's agents may have brought new ones. */
  async refreshTypes(): Promise<void> {
    const found = await this.#redis.hgetall(keys.types(this.#namespace));
    this.#formulas = new Map(Object.entries(found));
    this.#types = new Set(this.#formulas.keys());
  }

  /** Remembers step types for good, with the cost formula said last. */
  async addTypes(executors: readonly { readonly type: string; readonly cost: string }[]): Promise<void> {
    const fresh = executors.filter((executor) => this.#formulas.get(executor.type) !== executor.cost);
    if (fresh.length === 0) return;
    const fields: Record<string, string> = {};
    for (const { type, cost } of fresh) fields[type] = cost;
    await setFields(this.#redis, keys.types(this.#namespace), fields);
    this.#formulas = new Map([...this.#formulas, ...Object.entries(fields)]);
    this.#types = new Set(this.#formulas.keys());
  }
}

/** What the cell keeps of a class, JSON text. */
export function classRecord(type: string, requirement: Requirement | null): string {
  return JSON.stringify({ type, requirement });
}
