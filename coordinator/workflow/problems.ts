/**
 * Collects the mistakes of a submitted workflow, all of them, and words them.
 *
 * Invariants:
 * 1. At most `MAX_PROBLEMS` are kept, so that a hostile megabyte of mistakes costs no gigabyte of answers.
 * 2. Text of the caller's that a message repeats is clipped.
 */
import type { Problem, ProblemReason } from '../../sdk/common/errors.ts';
import { MAX_PROBLEMS } from './limits.ts';

/** Characters of the caller's text a message repeats. */
const QUOTED_LENGTH = 80;

/** Edits up to which a name counts as a slip of the other. */
const MAX_EDITS = 2;

/** Names a suggestion is looked for in: 10,000 mistakes times 10,000 names must not stop the coordinator. */
const MAX_CANDIDATES = 500;

/** Mistakes that get a suggestion. */
const MAX_SUGGESTIONS = 10;

export function report(problems: Problem[], path: string, reason: ProblemReason, message: string): void {
  if (problems.length < MAX_PROBLEMS - 1) problems.push({ path, reason, message });
  else if (problems.length === MAX_PROBLEMS - 1) {
    problems.push({
      path: '',
      reason: 'TOO_MANY',
      message: `there are more than ${MAX_PROBLEMS - 1} mistakes`,
    });
  }
}

/** Text as it stands in a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}…` : text);
}

/** What a value is, in words. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string':
      return 'text';
    case 'object':
      return 'an object';
    default:
      return `a ${typeof value}`;
  }
}

/** `; did you mean "hero"?` where a name is close, otherwise nothing. */
export function suggestion(name: string, known: Iterable<string>, problems: readonly Problem[]): string {
  if (problems.length >= MAX_SUGGESTIONS) return '';
  let best: string | undefined;
  let fewest = Math.min(MAX_EDITS, Math.ceil(name.length / 3)) + 1;
  let seen = 0;
  for (const candidate of known) {
    if (++seen > MAX_CANDIDATES) break;
    const edits = candidate.toLowerCase() === name.toLowerCase() ? 0 : editsBetween(name, candidate, fewest);
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best === undefined ? '' : `; did you mean ${quote(best)}?`;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into the other; `limit` = that or more. */
function editsBetween(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let edits = Math.min(
        (above[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (above[column - 1] as number) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) edits = Math.min(edits, (before[column - 2] as number) + 1);
      current.push(edits);
      if (edits < least) least = edits;
    }
    if (least >= limit) return limit;
    before = above;
    above = current;
  }
  return Math.min(limit, above[to.length] as number);
}
