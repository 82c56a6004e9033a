/**
 * Reads the durations and sizes people write: `30s`, `1h30m`, `PT10M`, `00:10:00`, `24GiB`.
 *
 * A bare number has no unit of its own: the caller says which it takes (the SDK milliseconds, files seconds).
 */

/** Milliseconds as a number, or text such as `250ms`, `30s`, `5m`, `1h30m`, `2d`, `PT10M`, `00:10:00`. */
export type Duration = number | string;

/** Bytes as a number, or text such as `512MiB`, `10GB`. */
export type Size = number | string;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const UNIT_BYTES: Readonly<Record<string, number>> = {
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

const PARTS = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
const ISO = /^P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;
const CLOCK = /^(?:(\d+)\.)?(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)$/;
const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b?)$/i;

/** Milliseconds, or undefined for text nobody understands. `numberUnitMs` is what one bare unit is worth. */
export function durationMs(value: Duration, numberUnitMs = 1): number | undefined {
  if (typeof value === 'number') return whole(value * numberUnitMs);
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return whole(Number(text) * 1_000);
  if (PARTS.test(text)) {
    let total = 0;
    for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
    return whole(total);
  }
  const clock = CLOCK.exec(text);
  if (clock !== null) return fromParts(clock[1], clock[2], clock[3], clock[4]);
  const iso = ISO.exec(text);
  if (iso !== null && iso.slice(1).some((part) => part !== undefined)) {
    return fromParts(iso[1], iso[2], iso[3], iso[4]);
  }
  return undefined;
}

/** Bytes, or undefined for text nobody understands. */
export function sizeBytes(value: Size): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const match = SIZE.exec(value.trim());
  if (match === null) return undefined;
  const unit = (match[2] ?? '').toLowerCase();
  const factor = unit === '' ? 1 : UNIT_BYTES[unit.endsWith('b') ? unit : `${unit}b`];
  return factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}

function fromParts(days = '0', hours = '0', minutes = '0', seconds = '0'): number | undefined {
  return whole(((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1_000);
}

/** Milliseconds travel as whole numbers; a positive duration never rounds to 0, which would mean "none". */
function whole(value: number): number | undefined {
  if (!Number.isFinite(value) || value < 0 || value > Number.MAX_SAFE_INTEGER) return undefined;
  return value > 0 ? Math.max(1, Math.round(value)) : 0;
}
