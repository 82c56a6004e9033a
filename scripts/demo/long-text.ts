/**
 * Writes the sample text: sentences of made-up words, common ones often and rare ones seldom, as in real text.
 *
 * The same size gives the same bytes, so the count of one run can be compared with that of another. Pure.
 */

const COMMON =
  'the of and to in a is that it was for on are as with his they at be this from have or by one had not but what all ' +
  'were when we there can an your which their said if do will each about how up out them then she many some so these ' +
  'would other into has more her two like him see time could no make than first been its who now people my made over ' +
  'did down only way find use may water long little very after words called just where most know';
const SYLLABLES =
  'ba be bo bri da de do dra el en fa fi fo ga gle go ha he hi in ka ker la le li lo lum ma me mi mor na ne ni no ol or ' +
  'pa pe pin po qua ra re ri ro sa se sha si so sta ta te ti to tra um un va ve vi wa wen yo zu';
const RARE_WORDS = 20_000;

/** At least `bytes` long, ending with a whole line. */
export function longText(bytes: number): string {
  const random = randomFrom(7);
  const words = vocabulary(random);
  const pick = zipfPicker(words, random);
  const lines: string[] = [];
  let size = 0;
  while (size < bytes) {
    const line = paragraph(pick, random);
    lines.push(line);
    // The words and marks are all ASCII.
    size += line.length + 2;
  }
  return `${lines.join('\n\n')}\n`;
}

function paragraph(pick: () => string, random: () => number): string {
  const sentences = 3 + Math.floor(random() * 5);
  return Array.from({ length: sentences }, () => sentence(pick, random)).join(' ');
}

function sentence(pick: () => string, random: () => number): string {
  const length = 5 + Math.floor(random() * 16);
  const words = Array.from({ length }, (_, index) => (index > 2 && random() < 0.08 ? `${pick()},` : pick()));
  const text = words.join(' ').replace(/,$/, '');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${random() < 0.08 ? '?' : '.'}`;
}

function vocabulary(random: () => number): string[] {
  const syllables = SYLLABLES.split(' ');
  const words = new Set(COMMON.split(' '));
  while (words.size < RARE_WORDS) {
    const count = 2 + Math.floor(random() * 3);
    words.add(
      Array.from({ length: count }, () => syllables[Math.floor(random() * syllables.length)]).join(''),
    );
  }
  return [...words];
}

/** The word of rank r comes up about 1/r as often as the first. */
function zipfPicker(words: readonly string[], random: () => number): () => string {
  let total = 0;
  const upTo = Float64Array.from(words, (_, rank) => (total += 1 / (rank + 2)));
  return () => {
    const wanted = random() * total;
    let low = 0;
    let high = words.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return words[low] ?? '';
  };
}

/** mulberry32: small, fast, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}
