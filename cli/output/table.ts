/**
 * Tables for people: columns as wide as their content, two spaces between, no lines.
 *
 * Invariant: text from others never moves the cursor or colours the terminal; control characters are shown as `·`.
 */
import { stripVTControlCharacters } from 'node:util';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'right';
  /** Only in `-o wide`. */
  readonly wide?: boolean;
}

/** Lines without a line feed; no rows give the titles alone. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  wide = false,
): string[] {
  const shown = columns.filter((column) => wide || column.wide !== true);
  const cells = [shown.map(({ title }) => title), ...rows.map((row) => shown.map(({ value }) => value(row)))];
  const widths = shown.map((_, index) => Math.max(...cells.map((line) => width(line[index] ?? ''))));
  return cells.map((line) =>
    line
      .map((cell, index) => {
        const padding = ' '.repeat((widths[index] ?? 0) - width(cell));
        return shown[index]?.align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** `title  value` lines. */
export function renderFields(fields: readonly (readonly [string, string])[]): string[] {
  const titleWidth = Math.max(0, ...fields.map(([title]) => title.length));
  return fields.map(([title, value]) => `${title.padEnd(titleWidth)}  ${value}`.trimEnd());
}

/** Text from somebody else, safe to show on one line. */
export function safe(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, '·');
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
