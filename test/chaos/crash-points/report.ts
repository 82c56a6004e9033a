/**
 * How a process that is about to die tells of it: lines of a file, written before the next instruction.
 *
 * `seen <kind>` once for each kind and process, `died <point>` as the last word.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { pointName } from './points.ts';
import type { CrashPoint } from './points.ts';

export class Report {
  readonly #file: string;
  readonly #seen = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  saw(kind: string): void {
    if (this.#seen.has(kind)) return;
    this.#seen.add(kind);
    appendFileSync(this.#file, `seen ${kind}\n`);
  }

  /** Does not return. */
  die(point: CrashPoint): never {
    appendFileSync(this.#file, `died ${pointName(point)}\n`);
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  }
}

/** A process of the rounds never outlives who started it; the channel to the parent keeps nobody alive. */
export function dieWithParent(): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.channel?.unref();
}

export interface Reported {
  readonly seen: ReadonlySet<string>;
  readonly died: readonly string[];
}

/** What was reported; nothing while there is no file. */
export function readReport(file: string): Reported {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const all = (word: string): string[] =>
    text.split('\n').flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  return { seen: new Set(all('seen')), died: all('died') };
}
