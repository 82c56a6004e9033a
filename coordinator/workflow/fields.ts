/**
 * Reads single fields of a submitted workflow: each reader gives the value, or reports what is wrong and gives a
 * harmless one, so that reading goes on and all mistakes come out together.
 *
 * A place is a step's index (-1 = the workflow itself) and a field's name; its text is made only for a report, because
 * tens of thousands of workflows a second have nothing to report.
 */
import type { Problem } from '../../sdk/common/errors.ts';
import { isJsonObject, type Json } from '../../sdk/common/json.ts';
import { MAX_JSON_DEPTH } from './limits.ts';
import { kindOf, report } from './problems.ts';

/** The workflow itself, where a place asks for a step. */
export const WORKFLOW = -1;

export function placeOf(step: number, field: string): string {
  return step === WORKFLOW ? field : `steps[${step}].${field}`;
}

/** A whole number from 0 to `max`; 0 when absent. */
export function wholeNumber(
  problems: Problem[],
  value: unknown,
  step: number,
  field: string,
  max: number,
): number {
  if (value === undefined || value === null || value === 0) return 0;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    report(problems, placeOf(step, field), 'INVALID_VALUE', `must be a whole number, not ${describe(value)}`);
    return 0;
  }
  return inRange(problems, value, step, field, max);
}

/** A number from 0 to `max`; 0 when absent. */
export function amount(
  problems: Problem[],
  value: unknown,
  step: number,
  field: string,
  max: number,
): number {
  if (value === undefined || value === null || value === 0) return 0;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    report(problems, placeOf(step, field), 'INVALID_VALUE', `must be a number, not ${describe(value)}`);
    return 0;
  }
  return inRange(problems, value, step, field, max);
}

function inRange(problems: Problem[], value: number, step: number, field: string, max: number): number {
  if (value >= 0 && value <= max) return value;
  report(problems, placeOf(step, field), 'OUT_OF_RANGE', `must be between 0 and ${max}, not ${value}`);
  return 0;
}

/** Text of at most `max` UTF-16 units; empty when absent. */
export function text(problems: Problem[], value: unknown, step: number, field: string, max: number): string {
  if (value === undefined || value === null || value === '') return '';
  if (typeof value !== 'string') {
    report(problems, placeOf(step, field), 'INVALID_VALUE', `must be text, not ${describe(value)}`);
    return '';
  }
  if (value.length <= max) return value;
  report(
    problems,
    placeOf(step, field),
    'TOO_LONG',
    `has ${value.length} characters, at most ${max} are allowed`,
  );
  return '';
}

/** A list of at most `max` elements; empty when absent or wrong. */
export function list(
  problems: Problem[],
  value: unknown,
  step: number,
  field: string,
  max: number,
): readonly unknown[] {
  if (value === undefined || value === null) return NOTHING;
  if (!Array.isArray(value)) {
    report(problems, placeOf(step, field), 'INVALID_VALUE', `must be a list, not ${describe(value)}`);
    return NOTHING;
  }
  if (value.length <= max) return value;
  report(
    problems,
    placeOf(step, field),
    'TOO_MANY',
    `has ${value.length} elements, at most ${max} are allowed`,
  );
  return NOTHING;
}

const NOTHING: readonly unknown[] = Object.freeze([]);

/** An object; undefined when absent or wrong. */
export function object(
  problems: Problem[],
  value: unknown,
  step: number,
  field: string,
): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object' && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  report(problems, placeOf(step, field), 'INVALID_VALUE', `must be an object, not ${describe(value)}`);
  return undefined;
}

/**
 * The value of JSON text; undefined when it is wrong, which has then been reported. The text is not empty.
 * Size and depth come first: neither a huge nor a deep text reaches the parser.
 */
export function json(
  problems: Problem[],
  value: unknown,
  step: number,
  field: string,
  maxBytes: number,
): Json | undefined {
  if (typeof value !== 'string') {
    report(problems, placeOf(step, field), 'INVALID_VALUE', `must be JSON text, not ${describe(value)}`);
    return undefined;
  }
  if (exceedsBytes(value, maxBytes)) {
    const message = `has more than ${maxBytes} bytes of JSON; pass large data as an artifact`;
    report(problems, placeOf(step, field), 'INPUT_TOO_LARGE', message);
    return undefined;
  }
  if (exceedsDepth(value, MAX_JSON_DEPTH)) {
    const message = `has more than ${MAX_JSON_DEPTH} lists and objects inside one another`;
    report(problems, placeOf(step, field), 'TOO_DEEP', message);
    return undefined;
  }
  try {
    return JSON.parse(value) as Json;
  } catch (error) {
    report(problems, placeOf(step, field), 'INVALID_JSON', (error as Error).message);
    return undefined;
  }
}

/** Text of a JSON object, as submitted; `{}` when absent or wrong. */
export function jsonObjectText(
  problems: Problem[],
  value: unknown,
  step: number,
  field: string,
  maxBytes: number,
): string {
  if (value === undefined || value === null || value === '') return '{}';
  const parsed = json(problems, value, step, field, maxBytes);
  if (parsed === undefined) return '{}';
  if (isJsonObject(parsed)) return value as string;
  report(problems, placeOf(step, field), 'INVALID_VALUE', `must be a JSON object, not ${kindOf(parsed)}`);
  return '{}';
}

/** Nothing but numbers and other harmless scalars is repeated. */
function describe(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}

export function exceedsBytes(text: string, max: number): boolean {
  // A UTF-16 unit takes one to three bytes.
  if (text.length * 3 <= max) return false;
  return text.length > max || utf8Bytes(text) > max;
}

/** Length of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair counts 2: together the 4 bytes of their character.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** True when more than `max` brackets are open at once. Right for every valid JSON text; others fail in the parser. */
function exceedsDepth(text: string, max: number): boolean {
  // Every level takes an opening and a closing bracket.
  if (text.length <= 2 * max) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // Both kinds of bracket and brace differ from one another in bit 5 only.
    const bracket = unit | 0x20;
    if (bracket === 0x7b) {
      if (++depth > max) return true;
    } else if (bracket === 0x7d) depth--;
    else if (unit === QUOTE) {
      at = closingQuote(text, at);
      if (at < 0) return false;
    }
  }
  return false;
}

/** Position of the quotation mark that ends the string begun at `open`, or -1. */
function closingQuote(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}
