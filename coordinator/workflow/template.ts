/**
 * Compiles a step's input into text with holes: `{"$ref": …}` objects and `{{…}}` in strings become holes.
 *
 * What an input may hold:
 *   {"$ref": source, "path"?: "output.images[0].url", "default"?: data}
 *       Stands for the value found there. Sources: a step's name, `$0` (first step), `$arguments`, the loop variable of
 *       the step's own fan-out. A path into a step starts with `output`; without a path it is all of the output.
 *       The default is plain data and may hold no reference.
 *   "{{source.path}}"
 *       The same in a string. A string that is one template and nothing else takes the value's type; within longer
 *       text strings stand as they are, null as nothing, everything else as JSON. A name with dots is found by the
 *       longest name that leaves a path beginning with `output`.
 *   "\{{"
 *       Two literal braces: a backslash right before `{{` is dropped and the braces mean nothing.
 *       (In JSON the backslash itself is written twice.)
 * Names of properties are never templates. Arguments and metadata are data: a `$ref` in them means nothing.
 *
 * Invariants: `paths.ts` 1 and 2; a template's parts always join to JSON text; every mistake is reported, with its place.
 */
import type { Problem } from '../../sdk/common/errors.ts';
import { isJsonObject, type Json } from '../../sdk/common/json.ts';
import { MAX_PATH_LENGTH, MAX_STEP_NAME_LENGTH } from './limits.ts';
import { describeMiss, formatPath, lookup, type ParsedPath, parsePath, type Segment } from './paths.ts';
import { ARGUMENTS, type Hole, type Template } from './plan.ts';
import { quote, report } from './problems.ts';
import { explainUnknown, type Scope, sourceOf, UNKNOWN } from './scope.ts';

/** True when JSON text may hold a reference or an escaped brace; `\u` may hide either. */
export function mayReferTo(text: string): boolean {
  return text.includes('{{') || text.includes('$ref') || text.includes('\\u');
}

/** The template of a value, or null when there is nothing in it to resolve: then its own text will do. */
export function compileTemplate(value: Json, root: string, scope: Scope): Template | null {
  const walk: Walk = { scope, root, trail: [], parts: [], text: '', changed: false };
  writeValue(walk, value);
  if (!walk.changed) return null;
  flush(walk);
  return walk.parts;
}

/** One pass over an input. `trail` is where the pass stands, `text` the JSON since the last hole. */
interface Walk {
  readonly scope: Scope;
  readonly root: string;
  readonly trail: Segment[];
  readonly parts: (string | Hole)[];
  text: string;
  changed: boolean;
}

/** Where a reference leads; null = it was wrong and has been reported. */
type Target = { readonly source: number; readonly path: readonly Segment[] } | null;

function flush(walk: Walk): void {
  if (walk.text !== '') walk.parts.push(walk.text);
  walk.text = '';
}

function place(walk: Walk): string {
  return formatPath(walk.root, walk.trail);
}

function problem(walk: Walk, at: string, reason: Problem['reason'], message: string): null {
  walk.changed = true;
  report(walk.scope.problems, `steps[${walk.scope.step}].${at}`, reason, message);
  return null;
}

function writeValue(walk: Walk, value: Json): void {
  if (typeof value === 'string') writeString(walk, value);
  else if (Array.isArray(value)) writeList(walk, value);
  else if (!isJsonObject(value)) writeScalar(walk, value);
  else if (Object.hasOwn(value, '$ref')) writeRef(walk, value);
  else writeObject(walk, value);
}

/** `1e999` parses to infinity, which JSON cannot say. */
function writeScalar(walk: Walk, value: null | boolean | number): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    problem(walk, place(walk), 'OUT_OF_RANGE', 'a number beside references must fit a double');
  }
  walk.text += JSON.stringify(value);
}

function writeList(walk: Walk, list: readonly Json[]): void {
  walk.text += '[';
  for (let index = 0; index < list.length; index++) {
    if (index > 0) walk.text += ',';
    walk.trail.push(index);
    writeValue(walk, list[index] as Json);
    walk.trail.pop();
  }
  walk.text += ']';
}

function writeObject(walk: Walk, object: { readonly [key: string]: Json }): void {
  walk.text += '{';
  let first = true;
  for (const key of Object.keys(object)) {
    walk.text += first ? `${JSON.stringify(key)}:` : `,${JSON.stringify(key)}:`;
    first = false;
    walk.trail.push(key);
    writeValue(walk, object[key] as Json);
    walk.trail.pop();
  }
  walk.text += '}';
}

function writeHole(walk: Walk, target: Target, fallback: string | null, embedded: boolean, at: string): void {
  if (target === null) return;
  const { source, path } = target;
  const { args } = walk.scope;
  if (source === ARGUMENTS && args !== undefined && fallback === null && lookup(args, path) === undefined) {
    problem(walk, at, 'UNKNOWN_REF', describeMiss(args, path, '$arguments'));
    return;
  }
  if (source === walk.scope.step) {
    problem(walk, at, 'DAG_CYCLE', 'a step cannot depend on itself');
    return;
  }
  walk.changed = true;
  flush(walk);
  walk.parts.push({ source, path, fallback, embedded, at });
}

// `$ref` objects.

function writeRef(walk: Walk, object: { readonly [key: string]: Json }): void {
  const at = `${place(walk)}.$ref`;
  const fallback = Object.hasOwn(object, 'default') ? (object.default as Json) : undefined;
  const target = refTarget(walk, object, at);
  if (fallback !== undefined && holdsReference(fallback)) {
    problem(
      walk,
      `${place(walk)}.default`,
      'INVALID_VALUE',
      'a default is plain data; it may hold no reference',
    );
  }
  writeHole(walk, target, fallback === undefined ? null : JSON.stringify(fallback), false, at);
}

function refTarget(walk: Walk, object: { readonly [key: string]: Json }, at: string): Target {
  let wrong = false;
  for (const key of Object.keys(object)) {
    if (key === '$ref' || key === 'path' || key === 'default') continue;
    wrong = true;
    problem(
      walk,
      formatPath(place(walk), [key]),
      'INVALID_VALUE',
      'a $ref has only "path" and "default" beside it',
    );
  }
  const name = object.$ref;
  const path = Object.hasOwn(object, 'path') ? object.path : '';
  if (typeof name !== 'string')
    return problem(
      walk,
      at,
      'INVALID_VALUE',
      'the source of a $ref is the name of a step, "$arguments" or a loop variable',
    );
  if (typeof path !== 'string')
    return problem(
      walk,
      `${place(walk)}.path`,
      'INVALID_PATH',
      'the path of a $ref is text such as "output.images[0].url"',
    );
  const source = sourceOf(name, walk.scope);
  if (source === UNKNOWN) return problem(walk, at, 'UNKNOWN_REF', explainUnknown(name, walk.scope));
  const target = follow(walk, source, path, parsePath(path), `${place(walk)}.path`);
  return wrong ? null : target;
}

/** Steps are entered through `output`; everything else right away. */
function follow(walk: Walk, source: number, text: string, parsed: ParsedPath, at: string): Target {
  if (!parsed.ok) return problem(walk, at, parsed.reason, parsed.message);
  const { segments } = parsed;
  if (source < 0 || segments.length === 0) return { source, path: segments };
  if (segments[0] === 'output') return { source, path: segments.slice(1) };
  return problem(
    walk,
    at,
    'INVALID_PATH',
    `a path into a step starts with output: ${quote(formatPath('output', segments))} instead of ${quote(text)}`,
  );
}

function holdsReference(value: Json): boolean {
  if (typeof value === 'string') return value.includes('{{');
  if (Array.isArray(value)) return value.some(holdsReference);
  return isJsonObject(value) && (Object.hasOwn(value, '$ref') || Object.values(value).some(holdsReference));
}

// `{{…}}` in strings.

function writeString(walk: Walk, text: string): void {
  if (!text.includes('{{')) {
    walk.text += JSON.stringify(text);
    return;
  }
  const at = place(walk);
  if (text.startsWith('{{') && text.indexOf('}}') === text.length - 2) {
    writeHole(walk, expressionTarget(walk, text.slice(2, -2), at), null, false, at);
    return;
  }
  walk.text += '"';
  let written = 0;
  for (let open = text.indexOf('{{'); open >= 0; open = text.indexOf('{{', written)) {
    if (open > written && text[open - 1] === '\\') {
      writeText(walk, `${text.slice(written, open - 1)}{{`);
      walk.changed = true;
      written = open + 2;
      continue;
    }
    const close = text.indexOf('}}', open + 2);
    if (close < 0) {
      problem(walk, at, 'INVALID_PATH', 'a {{ has no }} behind it; two literal braces are written \\{{');
      break;
    }
    writeText(walk, text.slice(written, open));
    writeHole(walk, expressionTarget(walk, text.slice(open + 2, close), at), null, true, at);
    written = close + 2;
  }
  writeText(walk, text.slice(written));
  walk.text += '"';
}

/** Text as it stands between the quotation marks of a JSON string. */
function writeText(walk: Walk, text: string): void {
  walk.text += JSON.stringify(text).slice(1, -1);
}

function expressionTarget(walk: Walk, expression: string, at: string): Target {
  const text = expression.trim();
  if (text.length > MAX_PATH_LENGTH) {
    return problem(
      walk,
      at,
      'TOO_LONG',
      `what stands between {{ and }} has at most ${MAX_PATH_LENGTH} characters`,
    );
  }
  let whole = UNKNOWN;
  let entered: { readonly source: number; readonly rest: string } | undefined;
  for (let end = Math.min(text.length, MAX_STEP_NAME_LENGTH); end > 0; end--) {
    if (end < text.length && text[end] !== '.' && text[end] !== '[') continue;
    const source = sourceOf(text.slice(0, end), walk.scope);
    if (source === UNKNOWN) continue;
    const rest = text[end] === '.' ? text.slice(end + 1) : text.slice(end);
    if (source < 0 || ENTERS_OUTPUT.test(rest)) return follow(walk, source, rest, parsePath(rest), at);
    if (rest === '') whole = source;
    else entered ??= { source, rest };
  }
  if (whole !== UNKNOWN) return { source: whole, path: [] };
  if (entered !== undefined) return follow(walk, entered.source, entered.rest, parsePath(entered.rest), at);
  const head = /^[^.[]*/.exec(text)?.[0] ?? '';
  if (LOOKS_LIKE_A_NAME.test(head)) return problem(walk, at, 'UNKNOWN_REF', explainUnknown(head, walk.scope));
  return problem(
    walk,
    at,
    'INVALID_PATH',
    `${quote(`{{${expression}}}`)} is no reference such as {{step.output.text}}; two literal braces are written \\{{`,
  );
}

const LOOKS_LIKE_A_NAME = /^\$?[\w.-]+$/;
const ENTERS_OUTPUT = /^output(?:$|[.[])/;
