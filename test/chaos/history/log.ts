/** JSON lines on disk: appended one by one and at once, read back whole; a line cut short by a kill is left out. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** Monotonic milliseconds, the same in all processes of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

export class LineLog<Line extends { readonly at: number }> {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    // The end of a line that a kill cut short must not spoil the next one.
    if (existsSync(file)) appendFileSync(file, '\n');
  }

  /** Adds the time. */
  write(line: Line extends unknown ? Omit<Line, 'at'> : never): void {
    appendFileSync(this.#file, `${JSON.stringify({ ...line, at: monotonicMs() })}\n`);
  }
}

export function readLines<Line>(file: string): Line[] {
  if (!existsSync(file)) return [];
  const lines: Line[] = [];
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (!text.startsWith('{')) continue;
    try {
      lines.push(JSON.parse(text) as Line);
    } catch {
      // Cut short.
    }
  }
  return lines;
}
