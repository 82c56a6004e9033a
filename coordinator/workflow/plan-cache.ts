/**
 * Plans this coordinator has compiled or read lately: most jobs are claimed where their workflow was submitted.
 *
 * Invariant: a plan never changes, so an entry is never wrong. Two generations: when the young one is full it becomes the
 * old one, whose entries nobody used since are forgotten at the next turn. (Dropping a map's oldest entry one by one
 * costs V8 a walk over all that were dropped before.)
 */
import { unpackPlan } from './plan-codec.ts';
import type { Plan } from './plan.ts';

/** Plans of one generation. */
const GENERATION = 10_000;
/** Larger plans are read anew each time. */
const MAX_STEPS = 8;

export class PlanCache {
  #young = new Map<string, Plan>();
  #old = new Map<string, Plan>();

  put(wid: string, plan: Plan): void {
    if (plan.steps.length > MAX_STEPS) return;
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(wid, plan);
  }

  /** The plan of a workflow, from its bytes where it is not at hand. */
  get(wid: string, bytes: Buffer): Plan {
    return this.#young.get(wid) ?? this.#old.get(wid) ?? unpackPlan(bytes);
  }
}
