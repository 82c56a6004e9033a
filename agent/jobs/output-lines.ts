/** A child's stdout and stderr as lines for the log, and the last of them for the message of a crash. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const MAX_LINE = 4000;
const KEPT_LINES = 12;

/** Calls back per line, without its end; a line longer than MAX_LINE comes in pieces. */
export function onLines(stream: Readable, take: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (data: Buffer) => {
    const lines = (rest + decoder.write(data)).split(/\r?\n/);
    rest = lines.pop() ?? '';
    while (rest.length > MAX_LINE) {
      lines.push(rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
    for (const line of lines) if (line !== '') take(line.slice(0, MAX_LINE));
  });
  stream.on('end', () => {
    rest += decoder.end();
    if (rest !== '') take(rest);
  });
  stream.on('error', () => {});
}

export class LastLines {
  #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  clear(): void {
    this.#lines = [];
  }

  toString(): string {
    return this.#lines.join('\n').slice(-1500);
  }
}
