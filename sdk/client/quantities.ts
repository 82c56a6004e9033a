/**
 * Durations and sizes as callers write them. `sdk/common/duration.ts` reads durations; a bare number there is worth
 * what the caller says, here milliseconds, while text without a unit means seconds everywhere.
 */
import { parseDuration } from '../common/duration.ts';

/** Milliseconds as a number, or text such as `250ms`, `30s`, `1h30m`, `PT10M`, `00:10:00`. */
export type Duration = number | string;

/** Bytes as a number, or text such as `512MiB`, `10GB`. */
export type Size = number | string;

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Milliseconds, or undefined for what is no duration. */
export function durationMs(value: Duration): number | undefined {
  return typeof value === 'number' ? parseDuration(value, 1) : parseDuration(value);
}

/** Bytes, or undefined for what is no size. */
export function sizeBytes(value: Size): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const match = /^(\d+(?:\.\d+)?) ?((?:[kmgt]i?)?b?)$/i.exec(value.trim());
  if (match === null) return undefined;
  const unit = (match[2] ?? '').toLowerCase();
  const factor = UNIT_BYTES[unit] ?? UNIT_BYTES[`${unit}b`];
  return factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}
