/**
 * How much of an agent's standing claim is still open.
 *
 * The agent states credits as it sees them, naming how many offers it had received by then; offers under way since are
 * subtracted here. Jobs asked for in a claim that has not come back are reserved.
 *
 * Invariant: offers made under one statement never exceed it, in all and per type.
 */

export interface CreditStatement {
  readonly total: number;
  /** Jobs per step type; a type left out may use the total alone. */
  readonly byType: Readonly<Record<string, number>>;
  readonly revision: number;
  readonly offersSeen: number;
}

export class Credit {
  #statement: CreditStatement = { total: 0, byType: {}, revision: 0, offersSeen: 0 };
  /** Types of offers sent that no statement has counted yet, oldest first. */
  #underway: string[] = [];
  /** Offers counted by statements so far. */
  #counted = 0;
  #reserved = 0;

  get revision(): number {
    return this.#statement.revision;
  }

  /** Replaces what the agent said before. */
  state(statement: CreditStatement): void {
    this.#statement = statement;
    const seen = Math.max(0, statement.offersSeen - this.#counted);
    if (seen > 0) {
      this.#underway = seen >= this.#underway.length ? [] : this.#underway.slice(seen);
      this.#counted += seen;
    }
  }

  /** Jobs that may be claimed now. */
  get open(): number {
    return Math.max(0, this.#statement.total - this.#underway.length - this.#reserved);
  }

  /** Jobs of a type that may be claimed now, within `open`. */
  openOf(type: string): number {
    const { byType } = this.#statement;
    const limit = Object.hasOwn(byType, type) ? byType[type] : undefined;
    if (limit === undefined) return this.open;
    let underway = 0;
    for (const sent of this.#underway) if (sent === type) underway++;
    // A claim under way may bring any type: its whole reservation counts.
    return Math.max(0, Math.min(this.open, limit - underway - this.#reserved));
  }

  reserve(jobs: number): void {
    this.#reserved += jobs;
  }

  unreserve(jobs: number): void {
    this.#reserved -= jobs;
  }

  offered(type: string): void {
    this.#underway.push(type);
  }

  /** No claims any more: the agent drains. */
  close(): void {
    this.#statement = { ...this.#statement, total: 0 };
  }
}
