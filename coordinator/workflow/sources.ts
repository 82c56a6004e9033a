/** What the references of one step read: outputs and arguments, as values, and how to say that something is missing. */
import type { Json } from '../../sdk/common/json.ts';
import { MAX_FAN_OUT, MAX_RESOLVED_INPUT_BYTES } from './limits.ts';
import { ARGUMENTS, LOOP_VARIABLE, type Plan, type PlanStep } from './plan.ts';

/**
 * JSON text of a step's output; null = the step was skipped; undefined = there is none yet. What it throws goes
 * through to the caller.
 */
export type Outputs = (stepIndex: number) => string | null | undefined;

/** Why a step cannot start. `reason` is one of `OUTCOME_REASONS`. */
export interface InputFailure {
  readonly ok: false;
  readonly reason: 'INPUT_UNRESOLVED' | 'INPUT_TOO_LARGE';
  /** For example `steps[1].input.image.$ref`. */
  readonly path: string;
  readonly message: string;
}

/** One output, or the arguments. */
export type Source =
  | { readonly kind: 'value'; readonly text: string; readonly value: Json }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'none'; readonly why: string };

const SKIPPED: Source = { kind: 'skipped' };

/** What the references of one step read, each parsed once. */
export class Sources {
  readonly #plan: Plan;
  readonly #step: PlanStep;
  readonly #outputs: Outputs;
  readonly #read = new Map<number, Source>();

  constructor(plan: Plan, step: PlanStep, outputs: Outputs) {
    this.#plan = plan;
    this.#step = step;
    this.#outputs = outputs;
  }

  get(index: number): Source {
    let source = this.#read.get(index);
    if (source === undefined) {
      source = this.#parse(index, index === ARGUMENTS ? this.#plan.argumentsJson : this.#outputs(index));
      this.#read.set(index, source);
    }
    return source;
  }

  #parse(index: number, text: string | null | undefined): Source {
    if (text === null) return SKIPPED;
    if (text === undefined) return { kind: 'none', why: `there is no ${this.nameOf(index)} yet` };
    try {
      return { kind: 'value', text, value: JSON.parse(text) as Json };
    } catch {
      return { kind: 'none', why: `${this.nameOf(index)} is no JSON` };
    }
  }

  /** What messages call it. */
  nameOf(source: number): string {
    if (source === ARGUMENTS) return '$arguments';
    if (source === LOOP_VARIABLE) return this.#step.fanOut?.as ?? '';
    return `${this.#plan.steps[source]?.name ?? ''}.output`;
  }

  unresolved(at: string, message: string): InputFailure {
    return { ok: false, reason: 'INPUT_UNRESOLVED', path: this.#place(at), message };
  }

  tooLarge(at: string): InputFailure {
    const message = `grows beyond ${MAX_RESOLVED_INPUT_BYTES} bytes with its references filled in; pass large data as artifacts`;
    return { ok: false, reason: 'INPUT_TOO_LARGE', path: this.#place(at), message };
  }

  tooMany(jobs: number): InputFailure {
    const message = `makes ${jobs} jobs, at most ${MAX_FAN_OUT} are allowed`;
    return { ok: false, reason: 'INPUT_TOO_LARGE', path: this.#place('forEach.items'), message };
  }

  #place(at: string): string {
    return `steps[${this.#step.index}].${at}`;
  }
}
