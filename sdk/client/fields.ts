/**
 * Reads one field of a workflow somebody wrote, and remembers what is wrong with it and where.
 *
 * Checks here are only those the wire cannot carry (types, units, unknown keys): names, references and limits are
 * the coordinator's to judge, so that both say the same. All problems are collected before anything is refused.
 */
import type { Problem } from '../common/errors.ts';
import { durationMs, sizeBytes } from './quantities.ts';

/** Where problems go. */
export interface Reading {
  readonly problems: Problem[];
}

export function wrong(reading: Reading, path: string, message: string): undefined {
  reading.problems.push({ path, reason: 'INVALID_VALUE', message });
  return undefined;
}

export function text(value: unknown, path: string, reading: Reading): string | undefined {
  return typeof value === 'string' ? value : wrong(reading, path, `must be text, not ${kindOf(value)}`);
}

export function number(value: unknown, path: string, reading: Reading): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? value
    : wrong(reading, path, `must be a number of at least 0, not ${kindOf(value)}`);
}

export function wholeNumber(value: unknown, path: string, reading: Reading): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : wrong(reading, path, `must be a whole number of at least 0, not ${kindOf(value)}`);
}

export function flag(value: unknown, path: string, reading: Reading): boolean | undefined {
  return typeof value === 'boolean'
    ? value
    : wrong(reading, path, `must be true or false, not ${kindOf(value)}`);
}

export function texts(value: unknown, path: string, reading: Reading): string[] | undefined {
  if (!Array.isArray(value)) return wrong(reading, path, `must be a list of texts, not ${kindOf(value)}`);
  for (let index = 0; index < value.length; index++) text(value[index], `${path}[${index}]`, reading);
  return value as string[];
}

/** One of `names`, as its number. */
export function oneOf<Names extends Readonly<Record<string, number>>>(
  value: unknown,
  names: Names,
  path: string,
  reading: Reading,
): Names[keyof Names] | undefined {
  if (typeof value === 'string' && Object.hasOwn(names, value)) return names[value as keyof Names];
  return wrong(reading, path, `must be ${Object.keys(names).join(', ')}, not ${JSON.stringify(value)}`);
}

export function duration(value: unknown, path: string, reading: Reading): number | undefined {
  const ms = typeof value === 'string' || typeof value === 'number' ? durationMs(value) : undefined;
  return (
    ms ??
    wrong(reading, path, `must be a duration such as "30s", "10m" or "PT10M", not ${JSON.stringify(value)}`)
  );
}

export function size(value: unknown, path: string, reading: Reading): number | undefined {
  const bytes = typeof value === 'string' || typeof value === 'number' ? sizeBytes(value) : undefined;
  return bytes ?? wrong(reading, path, `must be a size such as "24GiB", not ${JSON.stringify(value)}`);
}

/** Any value, as JSON text. */
export function json(value: unknown, path: string, reading: Reading): string | undefined {
  try {
    const encoded = JSON.stringify(value) as string | undefined;
    if (encoded !== undefined) return encoded;
    return wrong(reading, path, `must be JSON, not ${kindOf(value)}`);
  } catch (error) {
    return wrong(reading, path, `must be JSON: ${(error as Error).message}`);
  }
}

/** An object, as JSON text. */
export function jsonObject(value: unknown, path: string, reading: Reading): string | undefined {
  return isObject(value)
    ? json(value, path, reading)
    : wrong(reading, path, `must be an object, not ${kindOf(value)}`);
}

/** The same word apart from case, `_`, `-` and `$`: `depends_on` for `dependsOn`. */
export function unknownKey(key: string, known: readonly string[], path: string, reading: Reading): void {
  const bare = (word: string): string => word.replace(/[_\-$]/g, '').toLowerCase();
  const meant = known.find((word) => bare(word) === bare(key));
  wrong(
    reading,
    path,
    meant === undefined
      ? `is not known; known are ${known.join(', ')}`
      : `is not known; did you mean ${meant}?`,
  );
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? JSON.stringify(String(value))
    : `a ${typeof value}`;
}
