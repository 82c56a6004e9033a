/**
 * Durations as people write them: `PT10M`, `00:10:00`, `10m`, `1h30m`, `500ms`, or plain seconds.
 *
 * Invariants: the result is a whole number of milliseconds; a duration above 0 never becomes 0, which would mean
 * "none"; years and months are refused, because they have no fixed length.
 */

const WEEK_MS = 604_800_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

/** No duration anybody writes is longer; what is, is not worth a match. */
const MAX_TEXT_LENGTH = 64;

const NUMBER = /^\d+(?:\.\d+)?$/;
// Each unit at most once, the largest first.
const UNITS = /^(?:(N)w)? ?(?:(N)d)? ?(?:(N)h)? ?(?:(N)m)? ?(?:(N)s)? ?(?:(N)ms)?$/.source.replaceAll(
  'N',
  '\\d+(?:\\.\\d+)?',
);
const SHORT = new RegExp(UNITS);
const ISO =
  /^P(?:(\d+(?:[.,]\d+)?)W)?(?:(\d+(?:[.,]\d+)?)D)?(?:T(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?$/i;
const CLOCK = /^(?:(\d+)\.)?(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)$/;

/** Milliseconds, or undefined for what is no duration. A bare number is worth `numberUnitMs`: seconds unless told. */
export function parseDuration(value: number | string, numberUnitMs = SECOND_MS): number | undefined {
  if (typeof value === 'number') return whole(value * numberUnitMs);
  if (typeof value !== 'string' || value.length > MAX_TEXT_LENGTH) return undefined;
  const text = value.trim();
  if (text === '') return undefined;
  if (NUMBER.test(text)) return whole(Number(text) * numberUnitMs);
  const clock = CLOCK.exec(text);
  if (clock !== null) return sum([undefined, clock[1], clock[2], clock[3], clock[4]]);
  const iso = ISO.exec(text);
  // "P" and "PT" alone, and a T with nothing behind it, say nothing.
  if (iso !== null) return /[PT]$/i.test(text) ? undefined : sum(iso.slice(1));
  const short = SHORT.exec(text);
  return short === null ? undefined : sum(short.slice(1));
}

const UNIT_MS = [WEEK_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, 1] as const;

function sum(amounts: readonly (string | undefined)[]): number | undefined {
  let total = 0;
  for (let unit = 0; unit < amounts.length; unit++) {
    total += Number(amounts[unit]?.replace(',', '.') ?? 0) * (UNIT_MS[unit] ?? Number.NaN);
  }
  return whole(total);
}

function whole(ms: number): number | undefined {
  if (!Number.isFinite(ms) || ms < 0 || ms > Number.MAX_SAFE_INTEGER) return undefined;
  return ms > 0 ? Math.max(1, Math.round(ms)) : 0;
}

/** For people, in at most two units and never too long: `1h30m`, `10m`, `2.5s`, `500ms`. `parseDuration` reads it. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return 'unknown';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < SECOND_MS) return `${Math.floor(ms)}ms`;
  if (ms < MINUTE_MS) return `${Math.floor(ms / 100) / 10}s`;
  if (ms < HOUR_MS) return pair(ms, MINUTE_MS, 'm', SECOND_MS, 's');
  if (ms < DAY_MS) return pair(ms, HOUR_MS, 'h', MINUTE_MS, 'm');
  return pair(ms, DAY_MS, 'd', HOUR_MS, 'h');
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`;
}
