/**
 * When a workflow will be done: the longest way through what is left of it. Pure.
 *
 * Invariant: a step is done when the last of its needs is, and then its own time has passed; where that is not known for a step,
 * it is not known for anything behind it.
 */

/** Milliseconds, two quantiles. */
export interface Span {
  readonly p50: number;
  readonly p90: number;
}

export interface PathStep {
  readonly needs: readonly number[];
  readonly over: boolean;
  /** Time it takes once its needs are done at `from`; undefined = not known. Not asked for a step that is over. */
  readonly takes: (from: Span) => Span | undefined;
}

/** By step: milliseconds until it is done; undefined = over, or not known. Steps come before those that need them or after. */
export function doneIn(steps: readonly PathStep[]): (Span | undefined)[] {
  const done: (Span | undefined)[] = Array.from({ length: steps.length });
  const state = new Uint8Array(steps.length);
  const NOW: Span = { p50: 0, p90: 0 };
  const TO_DO = 0;
  const OPENED = 1;
  const CLOSED = 2;
  const stack: number[] = [];
  for (let root = 0; root < steps.length; root++) {
    stack.push(root);
    while (stack.length > 0) {
      const index = stack.at(-1) as number;
      const step = steps[index] as PathStep;
      if (state[index] === TO_DO) {
        state[index] = OPENED;
        for (const need of step.needs) if (state[need] === TO_DO) stack.push(need);
        continue;
      }
      stack.pop();
      if (state[index] === CLOSED) continue;
      state[index] = CLOSED;
      if (step.over) continue;
      let from: Span | undefined = NOW;
      for (const need of step.needs) {
        if (steps[need]?.over !== false) continue;
        const other = done[need];
        from = other && from && { p50: Math.max(from.p50, other.p50), p90: Math.max(from.p90, other.p90) };
      }
      const takes = from && step.takes(from);
      done[index] = from && takes && { p50: from.p50 + takes.p50, p90: from.p90 + takes.p90 };
    }
  }
  return done;
}

/** The latest of them; undefined when one that is not over is not known, or all are over. */
export function latest(steps: readonly PathStep[], done: readonly (Span | undefined)[]): Span | undefined {
  let last: Span | undefined;
  for (let index = 0; index < steps.length; index++) {
    if (steps[index]?.over !== false) continue;
    const one = done[index];
    if (one === undefined) return undefined;
    last = last === undefined ? one : { p50: Math.max(last.p50, one.p50), p90: Math.max(last.p90, one.p90) };
  }
  return last;
}
