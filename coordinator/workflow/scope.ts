/** What the name of a source means in one step: another step, the arguments, the loop variable, or nothing. */
import type { Problem } from '../../sdk/common/errors.ts';
import type { Json } from '../../sdk/common/json.ts';
import { ARGUMENTS, LOOP_VARIABLE } from './plan.ts';
import { quote, suggestion } from './problems.ts';

/** What the references of one step can mean. */
export interface Scope {
  readonly problems: Problem[];
  readonly step: number;
  /** Index of each step by its name. */
  readonly names: ReadonlyMap<string, number>;
  readonly stepCount: number;
  /** Loop variable that holds here; null = none. */
  readonly loop: string | null;
  /** The workflow's arguments; undefined = they are no JSON object, so nothing about them is checked. */
  readonly args: Json | undefined;
  /** Index of a step whose fan-out binds this loop variable, or -1. Only asked where a reference is wrong. */
  loopOwner(name: string): number;
}

/** Source of a reference nobody knows. */
export const UNKNOWN = -3;

const POSITIONAL = /^\$(0|[1-9]\d{0,5})$/;

/** Index of a step, `ARGUMENTS`, `LOOP_VARIABLE` or `UNKNOWN`. */
export function sourceOf(name: string, scope: Scope): number {
  if (name === scope.loop) return LOOP_VARIABLE;
  if (name === '$arguments') return ARGUMENTS;
  const positional = POSITIONAL.exec(name)?.[1];
  if (positional !== undefined) return Number(positional) < scope.stepCount ? Number(positional) : UNKNOWN;
  return scope.names.get(name) ?? UNKNOWN;
}

/** Why a name is no source here, and what to do about it. */
export function explainUnknown(name: string, scope: Scope): string {
  const owner = scope.loopOwner(name);
  if (owner >= 0) {
    return `${quote(name)} is the loop variable of steps[${owner}] and holds only in that step's input`;
  }
  // As in a JSON Schema.
  if (name.includes('#') || name.includes('/')) {
    return `no step is called ${quote(name)}; to pass a "$ref" on as data, put it into the arguments and refer to them`;
  }
  return `no step is called ${quote(name)}${suggestion(name, knownNames(scope), scope.problems)}`;
}

function* knownNames(scope: Scope): Generator<string> {
  if (scope.loop !== null) yield scope.loop;
  yield '$arguments';
  yield* scope.names.keys();
}
