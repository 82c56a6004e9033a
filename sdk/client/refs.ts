/**
 * Makes the reference objects that wire one step's output, or an argument, into another step's input.
 *
 * They are plain JSON (`{"$ref": …}`), so a workflow written with these helpers equals one written by hand.
 */
import type { Json } from '../common/json.ts';

/** Stands anywhere in an input for a value that is known only later. */
export interface Ref {
  readonly $ref: string;
  readonly path?: string;
  /** Taken when the path finds nothing; without it a missing value fails the step. */
  readonly default?: Json;
}

/** Reference to a step's output (`ref('split', 'output.parts[0]')`) or to a loop variable (`ref('item', 'url')`). */
export function ref(source: string, path?: string, fallback?: Json): Ref {
  return {
    $ref: source,
    ...(path === undefined || path === '' ? {} : { path }),
    ...(fallback === undefined ? {} : { default: fallback }),
  };
}

/** Reference to the workflow's arguments: `args('prompt')`; without a path, all of them. */
export function args(path?: string, fallback?: Json): Ref {
  return ref('$arguments', path, fallback);
}

/** True for an object that is a reference. */
export function isRef(value: unknown): value is Ref {
  return (
    typeof value === 'object' && value !== null && typeof (value as { $ref?: unknown }).$ref === 'string'
  );
}
