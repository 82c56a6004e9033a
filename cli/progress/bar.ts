/** A progress bar as text. Pure. */

const FULL = '█';
const EMPTY = '░';
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** `width` characters; full only when `fraction` is 1, empty only when it is 0. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.max(0, Math.min(1, fraction)) * width * 8;
  const shown =
    fraction >= 1 ? width * 8 : fraction <= 0 ? 0 : Math.min(width * 8 - 1, Math.max(1, Math.floor(eighths)));
  const part = EIGHTHS[shown % 8] ?? '';
  const text = FULL.repeat(Math.floor(shown / 8)) + part;
  return text + EMPTY.repeat(width - [...text].length);
}
