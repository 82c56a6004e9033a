/**
 * Cost of a job by the formula its executor declared.
 *
 * Invariant: a formula that is missing, malformed or fails on an input counts as cost 1; it never refuses a job.
 */
import { compileCost } from '../../sdk/common/cost-expression.ts';
import type { CompiledCost } from '../../sdk/common/cost-expression.ts';
import type { Json } from '../../sdk/common/json.ts';

const DEFAULT_COST = 1;

export class Costs {
  /** Text of each type's formula. */
  readonly #formulas: (type: string) => string | undefined;
  readonly #compiled = new Map<string, CompiledCost>();

  constructor(formulas: (type: string) => string | undefined) {
    this.#formulas = formulas;
  }

  of(type: string, input: Json): number {
    const text = this.#formulas(type);
    if (text === undefined || text === '') return DEFAULT_COST;
    let compiled = this.#compiled.get(text);
    if (compiled === undefined) {
      compiled = compileCost(text);
      this.#compiled.set(text, compiled);
    }
    if (!compiled.ok) return DEFAULT_COST;
    const result = compiled.evaluate(input);
    return result.ok && result.cost > 0 ? result.cost : DEFAULT_COST;
  }

  /** As `of`, from JSON text. */
  ofText(type: string, inputJson: string): number {
    const text = this.#formulas(type);
    return text === undefined || text === '' ? DEFAULT_COST : this.of(type, JSON.parse(inputJson) as Json);
  }
}
