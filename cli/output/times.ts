/** Times and sizes for people. Pure: the present is a parameter. */
import { formatDuration } from '../../sdk/common/duration.ts';

/** How long ago; `-` for never. */
export function age(at: Date | null, now: number): string {
  return at === null ? '-' : formatDuration(wholeSeconds(Math.max(0, now - at.getTime())));
}

/** From start to end, or to now; `-` before the start. */
export function span(from: Date | null, to: Date | null, now: number): string {
  if (from === null) return '-';
  return formatDuration(Math.max(0, (to?.getTime() ?? now) - from.getTime()));
}

export function bytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = size;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Ages are read at a glance: tenths of seconds only distract. */
function wholeSeconds(ms: number): number {
  return ms < 1_000 ? ms : Math.floor(ms / 1_000) * 1_000;
}
