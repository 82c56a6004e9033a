/**
 * Tells of the same trouble once, not every time it shows: an outage of Redis meets every loop and every session, several
 * times a second.
 *
 * Invariants: the first of its kind is told at once; those of the next `everyMs` are counted, and the first one after that
 * is told with their number. What differs in its message is another trouble.
 */

export interface RepeatsOptions {
  /** Default 10,000. */
  readonly everyMs?: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** `times`: how often it showed since it was told last, this time included. */
  readonly tell: (error: unknown, times: number) => void;
}

/** Troubles remembered at once; more are told every time. */
const MAX_KINDS = 100;

export class Repeats {
  readonly #options: Required<RepeatsOptions>;
  readonly #kinds = new Map<string, { toldAt: number; since: number }>();

  constructor(options: RepeatsOptions) {
    this.#options = { everyMs: 10_000, ...options };
  }

  note(error: unknown): void {
    const { everyMs, now, tell } = this.#options;
    const kind = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const known = this.#kinds.get(kind);
    const at = now();
    if (known !== undefined && at - known.toldAt < everyMs) {
      known.since++;
      return;
    }
    if (this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { toldAt: at, since: 0 });
    tell(error, (known?.since ?? 0) + 1);
  }
}
