/**
 * Counting words so that parts add up: the result for a text equals the merged results of its parts, byte for byte,
 * as long as no cut lies within a word (`text.split` cuts after white-space only).
 *
 * A word is a longest run of bytes that are not ASCII white-space, as `wc -w` has it in the C locale; lines are
 * line feeds, as in `wc -l`. White-space bytes never occur inside a UTF-8 character, so no cut splits one.
 *
 * Invariants:
 * 1. Memory is bounded by the number of different words and the longest of them, not by the text.
 * 2. A histogram has one spelling: keys in code-unit order, one per line, a line feed at the end.
 */
import { createReadStream } from 'node:fs';

export interface Counts {
  readonly words: number;
  readonly lines: number;
  readonly bytes: number;
  readonly histogram: ReadonlyMap<string, number>;
}

const LINE_FEED = 0x0a;
const SPACES = /[ \t\n\v\f\r]+/;

export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** The one-process count of a whole text: what split, count and merge must reproduce. */
export function countText(text: string | Uint8Array): Counts {
  const counter = new WordCounter();
  counter.add(typeof text === 'string' ? Buffer.from(text) : text);
  return counter.finish();
}

export async function countFile(path: string, onBytes: (bytes: number) => void = () => {}): Promise<Counts> {
  const counter = new WordCounter();
  for await (const data of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    counter.add(data as Buffer);
    onBytes((data as Buffer).length);
  }
  return counter.finish();
}

export class WordCounter {
  readonly #histogram = new Map<string, number>();
  /** Bytes since the last white-space: perhaps half a word. */
  #open: Uint8Array[] = [];
  #words = 0;
  #lines = 0;
  #bytes = 0;

  add(data: Uint8Array): void {
    this.#bytes += data.length;
    for (let at = data.indexOf(LINE_FEED); at !== -1; at = data.indexOf(LINE_FEED, at + 1)) this.#lines++;
    let end = data.length;
    while (end > 0 && !isSpace(data[end - 1] as number)) end--;
    if (end === 0) {
      this.#open.push(data);
      return;
    }
    this.#count(Buffer.concat([...this.#open, data.subarray(0, end)]));
    this.#open = end === data.length ? [] : [data.slice(end)];
  }

  finish(): Counts {
    this.#count(Buffer.concat(this.#open));
    this.#open = [];
    return { words: this.#words, lines: this.#lines, bytes: this.#bytes, histogram: this.#histogram };
  }

  #count(whole: Buffer): void {
    for (const word of whole.toString('utf8').split(SPACES)) {
      if (word === '') continue;
      this.#words++;
      this.#histogram.set(word, (this.#histogram.get(word) ?? 0) + 1);
    }
  }
}

/** Adds up counts one by one, so that only one part is in memory besides the sum. */
export class CountSum {
  readonly #histogram = new Map<string, number>();
  #words = 0;
  #lines = 0;
  #bytes = 0;

  add(part: Counts): void {
    this.#words += part.words;
    this.#lines += part.lines;
    this.#bytes += part.bytes;
    for (const [word, count] of part.histogram)
      this.#histogram.set(word, (this.#histogram.get(word) ?? 0) + count);
  }

  finish(): Counts {
    return { words: this.#words, lines: this.#lines, bytes: this.#bytes, histogram: this.#histogram };
  }
}

/** The canonical JSON text of a histogram. */
export function histogramJson(histogram: ReadonlyMap<string, number>): string {
  // Default order compares code units: the same everywhere, unlike a locale's.
  const keys = [...histogram.keys()].sort();
  if (keys.length === 0) return '{}\n';
  return `{\n${keys.map((key) => `${JSON.stringify(key)}: ${histogram.get(key)}`).join(',\n')}\n}\n`;
}

export function parseHistogram(json: string): Map<string, number> {
  return new Map(Object.entries(JSON.parse(json) as Record<string, number>));
}

/** The most frequent words, ties in code-unit order. */
export function topWords(histogram: ReadonlyMap<string, number>, limit: number): [string, number][] {
  const order = ([a, m]: [string, number], [b, n]: [string, number]): number =>
    n - m || (a < b ? -1 : a > b ? 1 : 0);
  return [...histogram].sort(order).slice(0, limit);
}
