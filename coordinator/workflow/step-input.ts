/** Reads what a step works on: its input and its fan-out. The rules are those in `spec.ts` and `template.ts`. */
import type { Problem } from '../../sdk/common/errors.ts';
import type { Json } from '../../sdk/common/json.ts';
import * as field from './fields.ts';
import * as limits from './limits.ts';
import { lookup } from './paths.ts';
import {
  ARGUMENTS,
  type FanOut,
  type Hole,
  type InputTemplate,
  LOOP_VARIABLE,
  type Template,
} from './plan.ts';
import { kindOf, quote, report } from './problems.ts';
import { isName, namesOf, type Reading, reportName, scopeOf } from './reading.ts';
import type { ForEachInput } from './spec-input.ts';
import { compileTemplate, mayReferTo } from './template.ts';

/** `value`: what the input is for every job; undefined = not known yet. */
export interface ReadInput {
  readonly template: InputTemplate;
  readonly value: Json | undefined;
}

const NO_INPUT: ReadInput = { template: { kind: 'literal', json: '{}' }, value: {} };

/** `named`: indexes of the steps in `dependsOn`, ascending. */
export function readInput(
  reading: Reading,
  text: unknown,
  index: number,
  named: readonly number[],
  fanOut: FanOut | null,
): ReadInput {
  const loop = fanOut === null ? null : fanOut.as;
  if (text === undefined || text === null || text === '') {
    return loop === null && named.length === 0 ? NO_INPUT : combinedInput(reading, named, loop);
  }
  const value = field.json(reading.problems, text, index, 'input', limits.MAX_INPUT_BYTES);
  if (value === undefined) return NO_INPUT;
  const json = text as string;
  if (!mayReferTo(json)) return { template: { kind: 'literal', json }, value };
  const parts = compileTemplate(value, 'input', scopeOf(reading, index, loop));
  if (parts === null) return { template: { kind: 'literal', json }, value };
  const [only] = parts;
  // Escaped braces alone leave text without holes. (Where mistakes were reported, it need not be JSON.)
  if (parts.length === 1 && typeof only === 'string' && reading.problems.length === 0) {
    return { template: { kind: 'literal', json: only }, value: JSON.parse(only) as Json };
  }
  return { template: { kind: 'template', parts }, value: undefined };
}

/** The input of a step that was given none: its loop variable and the outputs of the steps it names. */
function combinedInput(reading: Reading, named: readonly number[], loop: string | null): ReadInput {
  const parts: (string | Hole)[] = [];
  let text = '{';
  const add = (name: string, source: number): void => {
    parts.push(`${text}${JSON.stringify(name)}:`);
    parts.push({ source, path: [], fallback: null, embedded: false, at: `input.${name}` });
    text = ',';
  };
  if (loop !== null) add(loop, LOOP_VARIABLE);
  for (const source of named) add(reading.stepNames[source] ?? '', source);
  parts.push('}');
  return { template: { kind: 'template', parts }, value: undefined };
}

/** Null = one job. */
export function readFanOut(reading: Reading, given: unknown, index: number): FanOut | null {
  const { problems } = reading;
  const forEach: ForEachInput | undefined = field.object(problems, given, index, 'forEach');
  if (forEach === undefined) return null;
  const as = readLoopVariable(reading, forEach.as, index);
  const none: FanOut = { kind: 'count', count: 0, as };
  const text: unknown = forEach.itemsJson;
  if (text === undefined || text === null || text === '') {
    report(
      problems,
      `steps[${index}].forEach.items`,
      'REQUIRED',
      'a fan-out has items: a list, a whole number or a $ref',
    );
    return none;
  }
  const value = field.json(problems, text, index, 'forEach.items', limits.MAX_INPUT_BYTES);
  if (value === undefined) return none;
  const known = problems.length;
  const parts = mayReferTo(text as string)
    ? compileTemplate(value, 'forEach.items', scopeOf(reading, index, null))
    : null;
  if (problems.length > known) return none;
  const hole = parts?.length === 1 ? parts[0] : undefined;
  if (parts !== null && typeof hole === 'object') {
    checkItemsInArguments(reading, hole, index);
    return { kind: 'ref', parts, as };
  }
  checkItems(problems, value, index);
  if (typeof value === 'number') return { kind: 'count', count: value, as };
  if (!Array.isArray(value)) return none;
  // References among the items: the list is made when they are known.
  return parts === null ? { kind: 'items', items: value, as } : { kind: 'ref', parts, as };
}

function readLoopVariable(reading: Reading, as: unknown, index: number): string {
  const { problems } = reading;
  const place = `steps[${index}].forEach.as`;
  const name = as === undefined || as === null || as === '' ? limits.DEFAULT_LOOP_VARIABLE : as;
  if (typeof name !== 'string' || !isName(name)) {
    reportName(problems, name, place);
    return limits.DEFAULT_LOOP_VARIABLE;
  }
  const step = namesOf(reading).get(name);
  if (step !== undefined) {
    const message = `${quote(name)} is the name of steps[${step}]; the loop variable needs another one`;
    report(problems, place, 'DUPLICATE_NAME', message);
  }
  return name;
}

/** What the items are is known at submit when all of them come from the arguments. */
function checkItemsInArguments(reading: Reading, hole: Hole, index: number): void {
  if (hole.source !== ARGUMENTS || reading.args === undefined) return;
  const items = lookup(reading.args, hole.path);
  if (items !== undefined) checkItems(reading.problems, items, index);
}

function checkItems(problems: Problem[], items: Json, index: number): void {
  const place = `steps[${index}].forEach.items`;
  if (typeof items !== 'number' && !Array.isArray(items)) {
    report(
      problems,
      place,
      'INVALID_VALUE',
      `must be a list, a whole number or a $ref to one, not ${kindOf(items)}`,
    );
  } else if (typeof items === 'number' && !Number.isInteger(items)) {
    report(problems, place, 'INVALID_VALUE', `must be a whole number, not ${items}`);
  } else if (typeof items === 'number' && items < 0) {
    report(problems, place, 'OUT_OF_RANGE', `must not be below 0, as ${items} is`);
  } else {
    const count = typeof items === 'number' ? items : items.length;
    if (count > limits.MAX_FAN_OUT) {
      report(problems, place, 'TOO_MANY', `makes ${count} jobs, at most ${limits.MAX_FAN_OUT} are allowed`);
    }
  }
}

/** Adds the steps whose outputs a template reads. */
export function addSources(parts: Template, needs: number[]): void {
  for (const part of parts) if (typeof part !== 'string' && part.source >= 0) needs.push(part.source);
}
