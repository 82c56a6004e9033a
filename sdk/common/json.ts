/** JSON values and the few operations on them that must not trip over `__proto__`. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Property names that a path may never name. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Parsed value, or the parser's sentence. Keys named `__proto__` stay plain data (JSON.parse makes own properties). */
export function parseJson(text: string): { ok: true; value: Json } | { ok: false; message: string } {
  try {
    return { ok: true, value: JSON.parse(text) as Json };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

/** True for an object that is neither null nor a list. */
export function isJsonObject(value: unknown): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
