/**
 * How far a running job is, where its executor does not say. Pure.
 *
 * Invariants:
 * 1. elapsed x throughput / cost, clamped to 0 … 1; without a throughput there is no figure.
 * 2. What the executor reports wins over the estimate, however old it is.
 * 3. A job that has not succeeded shows less than 1, and one that has shows 1.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';

/** What a job that runs is shown at most. */
export const ALMOST = 0.99;

/** As in `dibs.v1.ProgressSource`. */
export const SOURCE = { none: 0, estimated: 1, reported: 2 } as const;

export interface Progress {
  readonly fraction: number;
  readonly source: (typeof SOURCE)[keyof typeof SOURCE];
}

const NO_FIGURE: Progress = { fraction: 0, source: SOURCE.none };

/** Share of the work done, 0 to 1. `throughput` in cost a second. */
export function estimateProgress(elapsedMs: number, throughput: number, cost: number): number {
  if (!(cost > 0) || !(throughput > 0)) return 0;
  return Math.min(1, Math.max(0, ((elapsedMs / 1000) * throughput) / cost));
}

export interface RunningJob {
  readonly state: number;
  /** Milliseconds since the epoch; 0 = not begun. */
  readonly startedAt: number;
  /** What the executor said last; less than 0 = nothing yet. */
  readonly reported: number;
  /** On the agent that runs it. */
  readonly cost: number;
  /** Of that agent for the step type, cost a second; undefined = not known. */
  readonly throughput: number | undefined;
}

export function progressOf(
  { state, startedAt, reported, cost, throughput }: RunningJob,
  now: number,
): Progress {
  if (state === State.succeeded)
    return { fraction: 1, source: reported >= 0 ? SOURCE.reported : SOURCE.estimated };
  if (reported >= 0) return { fraction: Math.min(reported, ALMOST), source: SOURCE.reported };
  if (isTerminal(state) || startedAt === 0 || throughput === undefined) return NO_FIGURE;
  const fraction = estimateProgress(now - startedAt, throughput, cost);
  return { fraction: Math.min(fraction, ALMOST), source: SOURCE.estimated };
}

/** Jobs remembered before the one shown longest ago is forgotten. */
const REMEMBERED = 10_000;

/** Keeps what is shown of a job from going back: throughput is learnt anew all the time. */
export class HighWater {
  readonly #shown = new Map<string, number>();

  /** `claim` names the job and the claim it is held by: another agent begins anew. */
  raise(claim: string, { fraction, source }: Progress): Progress {
    const shown = this.#shown.get(claim);
    if (source === SOURCE.none)
      return shown === undefined ? NO_FIGURE : { fraction: shown, source: SOURCE.estimated };
    const most = Math.max(fraction, shown ?? 0);
    this.#shown.delete(claim);
    this.#shown.set(claim, most);
    if (this.#shown.size > REMEMBERED) this.#shown.delete(this.#shown.keys().next().value as string);
    return { fraction: most, source };
  }
}
