/**
 * Plans this coordinator has compiled or read lately: most jobs are claimed where their workflow was submitted.
 *
 * Invariant: a plan never changes, so an entry is never wrong; the oldest leave first.
 */
import { unpackPlan } from './plan-codec.ts';
import type { Plan } from './plan.ts';

/** Plans kept. */
const MAX_PLANS = 20_000;
/** Larger plans are read anew each time. */
const MAX_STEPS = 8;

export class PlanCache {
  readonly #plans = new Map<string, Plan>();

  put(wid: string, plan: Plan): void {
    if (plan.steps.length > MAX_STEPS) return;
    if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value as string);
    this.#plans.set(wid, plan);
  }

  /** The plan of a workflow, from its bytes where it is not at hand. */
  get(wid: string, bytes: Buffer): Plan {
    return this.#plans.get(wid) ?? unpackPlan(bytes);
  }

  forget(wid: string): void {
    this.#plans.delete(wid);
  }
}
