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
const MAX_PLANS = 10_000;
/** Steps of the plans of one generation: two generations hold 200,000, or 100 MB of small steps. */
const MAX_STEPS = 100_000;
/** Characters of inputs and arguments of the plans of one generation. */
const MAX_CHARS = 64 * 1_048_576;

export class PlanCache {
  #young = new Map<string, Plan>();
  #old = new Map<string, Plan>();
  /** Of the young generation. */
  #steps = 0;
  #chars = 0;

  put(wid: string, plan: Plan): void {
    if (this.#young.size >= MAX_PLANS || this.#steps >= MAX_STEPS || this.#chars >= MAX_CHARS) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#steps = 0;
      this.#chars = 0;
    }
    this.#young.set(wid, plan);
    this.#steps += plan.steps.length;
    this.#chars += charsOf(plan);
  }

  find(wid: string): Plan | undefined {
    const young = this.#young.get(wid);
    if (young !== undefined) return young;
    const old = this.#old.get(wid);
    if (old !== undefined) this.put(wid, old);
    return old;
  }

  /** The plan of a workflow, from its bytes where it is not at hand. */
  get(wid: string, bytes: Buffer): Plan {
    const known = this.find(wid);
    if (known !== undefined) return known;
    const plan = unpackPlan(bytes);
    this.put(wid, plan);
    return plan;
  }
}

function charsOf(plan: Plan): number {
  let chars = plan.argumentsJson.length + plan.stateJson.length + plan.metadataJson.length;
  for (const { input, fanOut } of plan.steps) {
    if (input.kind === 'literal') chars += input.json.length;
    else for (const part of input.parts) if (typeof part === 'string') chars += part.length;
    // Items are values: a guess.
    if (fanOut?.kind === 'items') chars += fanOut.items.length * 64;
  }
  return chars;
}
