/**
 * Lines at the bottom of a terminal that are redrawn in place.
 *
 * Invariants: at most one redraw each REDRAW_MS however often it is asked; the last state asked for is drawn before
 * `finish`; after `finish` the lines stay and the cursor is below them. The caller keeps lines within the width.
 */
import type { Writable } from 'node:stream';

const REDRAW_MS = 80;
/** Elapsed time goes on without events. */
const TICK_MS = 500;

export class LiveRegion {
  readonly #out: Writable;
  readonly #draw: () => readonly string[];
  #drawn = 0;
  #planned: NodeJS.Timeout | undefined;
  readonly #tick: NodeJS.Timeout;
  #finished = false;

  constructor(out: Writable, draw: () => readonly string[]) {
    this.#out = out;
    this.#draw = draw;
    this.#tick = setInterval(() => this.update(), TICK_MS);
  }

  /** Something has changed. */
  update(): void {
    if (this.#finished) return;
    this.#planned ??= setTimeout(() => {
      this.#planned = undefined;
      this.#redraw();
    }, REDRAW_MS);
  }

  /** A line above the region, which stays. */
  note(line: string): void {
    this.#out.write(`${this.#erase()}${line}\n`);
    this.#drawn = 0;
    this.#redraw();
  }

  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#planned);
    clearInterval(this.#tick);
    this.#redraw();
  }

  #redraw(): void {
    const lines = this.#draw();
    this.#out.write(`${this.#erase()}${lines.map((line) => `${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }

  /** To the first column of the first line, everything below gone. */
  #erase(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r\u001b[J`;
  }
}
