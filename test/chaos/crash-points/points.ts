/**
 * What a crash point is: a kind of write, and the moment at which the process that makes it dies. Pure.
 *
 * A kind is the name of a script or command and, where one name stands for several things, what it does:
 * `complete:retryable`, `due:backoff`, `HSET agents:lost`. Kinds come from a recording run, never from a list by hand.
 *
 * before: in place of sending. torn: a file is made, and nothing is in it yet. after: it is done, its answer has reached the process,
 * and no code of ours has seen it.
 */
export type Moment = 'before' | 'torn' | 'after';

export interface CrashPoint {
  readonly kind: string;
  readonly moment: Moment;
}

export function pointName({ kind, moment }: CrashPoint): string {
  return `${moment} ${kind}`;
}

export function parsePoint(name: string): CrashPoint {
  const match = /^(before|torn|after) (.+)$/.exec(name);
  if (match === null) throw new Error(`"${name}" is no crash point: it begins with before, torn or after.`);
  return { moment: match[1] as Moment, kind: match[2] as string };
}

/** Points of the kinds that were seen, in a fixed order. */
export function pointsOf(
  kinds: Iterable<string>,
  moments: (kind: string) => readonly Moment[],
): CrashPoint[] {
  return [...new Set(kinds)].toSorted().flatMap((kind) => moments(kind).map((moment) => ({ kind, moment })));
}

/** What a process is told: a point, or nothing. */
export function armedBy(name = ''): CrashPoint | undefined {
  return name === '' ? undefined : parsePoint(name);
}
