/**
 * How much of an agent's standing claim is still open.
 *
 * The agent states credits as it sees them, naming how many offers it had received by then; offers under way since are
 * subtracted here. Jobs asked for in a claim that has not come back are reserved.
 *
 * Invariants:
 * 1. Offers made under one statement never exceed it, in all and per type.
 * 2. An agent that lets an offer lapse without a word about jobs or credits gets none for one offer lease, and then one at a
 *    time, each after such a pause, until it says something: a dead or frozen box delays few jobs.
 * 3. What is asked for never exceeds the room that its standing leaves.
 */

export interface CreditOptions {
  readonly now: () => number;
  /** Time an offer stays valid, milliseconds. */
  readonly offerMs: number;
  /** Jobs it may be given beyond those it holds, whatever it states; default: any number. */
  readonly room?: () => number;
}

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
  /** When the first offer since the agent's last word was claimed; undefined = it has answered. */
  #unansweredAt: number | undefined;
  /** It let offers lapse, and has not said anything since. */
  #lapsed = false;
  readonly #options: CreditOptions;

  constructor(options: CreditOptions) {
    this.#options = options;
  }

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
    const stated = this.#statement.total - this.#underway.length;
    if (stated <= this.#reserved) return 0;
    const room = this.#options.room?.() ?? Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(stated, this.#patience(), room) - this.#reserved);
  }

  /** The agent said something about jobs or credits. */
  heard(): void {
    this.#unansweredAt = undefined;
    this.#lapsed = false;
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

  /** Gives the time: the offers that come of this claim lapse no sooner than one offer lease later. */
  reserve(jobs: number): number {
    this.#reserved += jobs;
    return this.#options.now();
  }

  unreserve(jobs: number): void {
    this.#reserved -= jobs;
  }

  /** `claimedAt`: what `reserve` gave. Told later, the offer could lapse before the silence is long enough to count. */
  offered(type: string, claimedAt: number): void {
    this.#underway.push(type);
    if (this.#unansweredAt === undefined) this.#unansweredAt = claimedAt;
    else if (this.#patience() === 1) {
      this.#unansweredAt = claimedAt;
      this.#lapsed = true;
    }
  }

  /** No claims any more: the agent drains. */
  close(): void {
    this.#statement = { ...this.#statement, total: 0 };
  }

  /** Jobs its silence allows. */
  #patience(): number {
    if (this.#unansweredAt === undefined) return Number.POSITIVE_INFINITY;
    const { now, offerMs } = this.#options;
    const silentMs = now() - this.#unansweredAt;
    if (silentMs >= 2 * offerMs) return 1;
    return silentMs >= offerMs || this.#lapsed ? 0 : Number.POSITIVE_INFINITY;
  }
}
