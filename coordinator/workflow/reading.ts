/** One compilation under way: what all steps share, and what names mean in each of them. */
import type { Problem } from '../../sdk/common/errors.ts';
import { FORBIDDEN_KEYS, type Json } from '../../sdk/common/json.ts';
import * as limits from './limits.ts';
import { kindOf, quote, report } from './problems.ts';
import type { StepSpecInput } from './spec-input.ts';
import type { Scope } from './scope.ts';

/** What compiling depends on besides the workflow. */
export interface CompileEnv {
  /** Step types that agents ever advertised. */
  readonly knownTypes: ReadonlySet<string>;
  /** Cost an executor declares for an input; no number above 0 = it declares none. Absent = no executor does. */
  costOf?(type: string, input: Json): number;
}

export interface Reading {
  readonly problems: Problem[];
  readonly env: CompileEnv;
  readonly specs: readonly unknown[];
  /** Name of each step. */
  readonly stepNames: readonly string[];
  /** The workflow's arguments; undefined = wrong. */
  readonly args: Json | undefined;
  readonly allowUnknownTypes: boolean;
  /** Index of each step by its name; undefined = nobody asked yet (a workflow of one step rarely does). */
  names: ReadonlyMap<string, number> | undefined;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/;
const NAME_SHAPE = `1 to ${limits.MAX_STEP_NAME_LENGTH} of A-Z a-z 0-9 _ . - and begin with a letter, a digit or _`;

/** Of a step and of a loop variable. */
export function isName(name: string): boolean {
  return NAME.test(name) && !FORBIDDEN_KEYS.has(name);
}

export function reportName(problems: Problem[], name: unknown, place: string): void {
  const message =
    typeof name === 'string'
      ? `${quote(name)} is no name: it must be ${NAME_SHAPE}`
      : `must be text, not ${kindOf(name)}`;
  report(problems, place, 'INVALID_VALUE', message);
}

/** The step's name, its index by default. A bad name is kept, so that references to it are no further mistakes. */
export function readStepName(problems: Problem[], spec: unknown, index: number): string {
  const name: unknown = (spec as StepSpecInput | null | undefined)?.name;
  if (name === undefined || name === null || name === '') return String(index);
  if (typeof name === 'string' && isName(name)) return name;
  reportName(problems, name, `steps[${index}].name`);
  return typeof name === 'string' ? name : String(index);
}

export function namesOf(reading: Reading): ReadonlyMap<string, number> {
  reading.names ??= new Map(reading.stepNames.map((name, index) => [name, index]));
  return reading.names;
}

/** `loop`: the loop variable that holds here; null = none. */
export function scopeOf(reading: Reading, step: number, loop: string | null): Scope {
  return {
    problems: reading.problems,
    step,
    names: namesOf(reading),
    stepCount: reading.specs.length,
    loop,
    args: reading.args,
    loopOwner: (name) => reading.specs.findIndex((spec) => loopVariableOf(spec) === name),
  };
}

function loopVariableOf(spec: unknown): unknown {
  const forEach = (spec as StepSpecInput | null | undefined)?.forEach;
  return forEach === undefined || forEach === null ? undefined : forEach.as || limits.DEFAULT_LOOP_VARIABLE;
}
