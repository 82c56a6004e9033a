/** The hours in which an owner lends the box: `22:00-06:00`, local time. Pure. */

/** Minutes after midnight; where `to` is not after `from` it is of the next day. */
export interface Hours {
  readonly from: number;
  readonly to: number;
  /** As it was written. */
  readonly text: string;
}

const TIME = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/;

/** Undefined for anything else. */
export function parseHours(text: string): Hours | undefined {
  const match = TIME.exec(text.trim());
  if (match === null) return undefined;
  const [fromHour, fromMinute, toHour, toMinute] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (fromHour > 23 || toHour > 24 || fromMinute > 59 || toMinute > 59) return undefined;
  const from = fromHour * 60 + fromMinute;
  const to = toHour * 60 + toMinute;
  return from === to || to > 24 * 60 ? undefined : { from, to, text: text.trim() };
}

/** Whether a time of day lies in them: from the first minute on, up to the last. */
export function isWithin({ from, to }: Hours, at: Date): boolean {
  const minute = at.getHours() * 60 + at.getMinutes();
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}
