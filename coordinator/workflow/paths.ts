/**
 * Paths into JSON values: `images[0].url`, `scores.best`, `["a key with dots"].x`.
 *
 * Grammar: names joined by `.`; `[n]` for a position in a list; `["…"]` or `['…']` for a name with other characters
 * (no escapes inside). A bare name has letters, digits, `_ - $ @ : /` and anything beyond ASCII. In a list a bare
 * whole number is a position too (`images.0.url`).
 *
 * Invariants:
 * 1. Only own properties are ever read, and only of objects and lists; text has no positions, a list no `length`.
 * 2. `__proto__`, `constructor` and `prototype` are refused when the path is parsed, never later.
 */
import type { ProblemReason } from '../../sdk/common/errors.ts';
import { FORBIDDEN_KEYS, type Json } from '../../sdk/common/json.ts';
import { MAX_PATH_LENGTH, MAX_PATH_SEGMENTS } from './limits.ts';
import { kindOf, quote } from './problems.ts';

/** A name, or a position in a list. */
export type Segment = string | number;

export type ParsedPath =
  | { readonly ok: true; readonly segments: readonly Segment[] }
  | { readonly ok: false; readonly reason: ProblemReason; readonly message: string };

const POSITION = /^(?:0|[1-9]\d{0,8})$/;
const BARE_NAME = /[\w\-$@:/\u0080-\uffff]+/y;

/** Names a message lists of an object that lacks the one looked for. */
const LISTED_NAMES = 8;

/** Parses a path; the empty text is the path of no segments. */
export function parsePath(text: string): ParsedPath {
  if (text.length > MAX_PATH_LENGTH)
    return bad('TOO_LONG', `a path has at most ${MAX_PATH_LENGTH} characters`);
  const segments: Segment[] = [];
  let at = 0;
  while (at < text.length) {
    if (segments.length >= MAX_PATH_SEGMENTS)
      return bad('TOO_DEEP', `a path has at most ${MAX_PATH_SEGMENTS} parts`);
    if (text[at] === '[') {
      const bracket = parseBracket(text, at);
      if (bracket === undefined) return malformed(text, at);
      segments.push(bracket.segment);
      at = bracket.end;
    } else {
      if (text[at] === '.') at += at > 0 ? 1 : 0;
      else if (at > 0) return malformed(text, at);
      BARE_NAME.lastIndex = at;
      const name = BARE_NAME.exec(text)?.[0];
      if (name === undefined) return malformed(text, at);
      segments.push(name);
      at += name.length;
    }
  }
  for (const segment of segments) {
    if (typeof segment === 'string' && FORBIDDEN_KEYS.has(segment)) {
      return bad('FORBIDDEN_PATH', `a path may not name ${segment}`);
    }
  }
  return { ok: true, segments };
}

function parseBracket(text: string, at: number): { segment: Segment; end: number } | undefined {
  const mark = text[at + 1];
  const quoted = mark === '"' || mark === "'";
  const end = quoted ? text.indexOf(`${mark}]`, at + 2) : text.indexOf(']', at + 1);
  if (end < 0) return undefined;
  if (quoted) return { segment: text.slice(at + 2, end), end: end + 2 };
  const digits = text.slice(at + 1, end);
  return POSITION.test(digits) ? { segment: Number(digits), end: end + 1 } : undefined;
}

function malformed(text: string, at: number): ParsedPath {
  const shape = 'a path looks like output.images[0].url or output["any name"]';
  return bad('INVALID_PATH', `${quote(text)} is not a path (at character ${at + 1}); ${shape}`);
}

function bad(reason: ProblemReason, message: string): ParsedPath {
  return { ok: false, reason, message };
}

/** The value at a path, or undefined where there is none. */
export function lookup(value: Json, segments: readonly Segment[]): Json | undefined {
  let current: Json | undefined = value;
  for (const segment of segments) {
    current = child(current, segment);
    if (current === undefined) return undefined;
  }
  return current;
}

function child(value: Json, segment: Segment): Json | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const position = typeof segment === 'number' ? segment : POSITION.test(segment) ? Number(segment) : -1;
    return value[position];
  }
  return typeof segment === 'string' && Object.hasOwn(value, segment) ? value[segment] : undefined;
}

/** Why a path finds nothing: where it ends, and what is there instead. `root` is what the value is called. */
export function describeMiss(value: Json, segments: readonly Segment[], root: string): string {
  let current = value;
  let depth = 0;
  for (const segment of segments) {
    const next = child(current, segment);
    if (next === undefined) break;
    current = next;
    depth++;
  }
  const place = formatPath(root, segments.slice(0, depth));
  const whole = formatPath(root, segments);
  if (current === null || typeof current !== 'object' || Array.isArray(current)) {
    return `there is no ${whole}: ${place} is ${kindOf(current)}`;
  }
  const names = Object.keys(current);
  const listed = names.slice(0, LISTED_NAMES).map((name) => quote(name));
  const rest = names.length > LISTED_NAMES ? ', …' : '';
  return `there is no ${whole}: ${place} has ${names.length === 0 ? 'nothing' : `only ${listed.join(', ')}${rest}`}`;
}

const PLAIN_NAME = /^[\w\-$@:/\u0080-\uffff]{1,80}$/;

/** A path as text, behind the name of what it leads into. */
export function formatPath(root: string, segments: readonly Segment[]): string {
  let text = root;
  for (const segment of segments) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (PLAIN_NAME.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${quote(segment)}]`;
  }
  return text;
}
