/**
 * Prints what a command found in the format asked for. Times in JSON and YAML are RFC 3339.
 *
 * A list in JSON is a list; lines of a stream (`--watch`) are one object a line in JSON and one document each in YAML.
 */
import { stringify } from 'yaml';
import { print } from '../io.ts';
import type { Io } from '../io.ts';
import type { Format } from '../options.ts';
import { renderTable } from './table.ts';
import type { Column } from './table.ts';

export function printList<Row>(
  io: Io,
  format: Format,
  rows: readonly Row[],
  { columns, name }: { readonly columns: readonly Column<Row>[]; readonly name: (row: Row) => string },
): void {
  if (format === 'name') for (const row of rows) print(io, name(row));
  else if (format === 'table' || format === 'wide') {
    for (const line of renderTable(columns, rows, format === 'wide')) print(io, line);
  } else printValue(io, format, rows);
}

/** One value; `lines` for people. */
export function printOne(
  io: Io,
  format: Format,
  value: unknown,
  { name, lines }: { readonly name: string; readonly lines: (wide: boolean) => readonly string[] },
): void {
  if (format === 'name') print(io, name);
  else if (format === 'table' || format === 'wide')
    for (const line of lines(format === 'wide')) print(io, line);
  else printValue(io, format, value);
}

/** One element of a stream; true when it was printed as data. */
export function printElement(io: Io, format: Format, value: unknown): boolean {
  if (format === 'json') print(io, JSON.stringify(value));
  else if (format === 'yaml') print(io, `---\n${yaml(value)}`);
  else return false;
  return true;
}

function printValue(io: Io, format: Format, value: unknown): void {
  print(io, format === 'yaml' ? yaml(value) : JSON.stringify(value, null, 2));
}

function yaml(value: unknown): string {
  // Through JSON, so that dates and absent fields look the same in both.
  return stringify(JSON.parse(JSON.stringify(value)), { aliasDuplicateObjects: false }).trimEnd();
}
