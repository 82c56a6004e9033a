/** `--label key=value`, repeatable. Pure. */

const KEY = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/;
const MAX_VALUE = 256;

/** Throws with a sentence for people; a key given twice keeps its last value. */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const key = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? '' : text.slice(at + 1);
    if (!KEY.test(key)) throw new Error(`label: "${text}" is not key=value (letters, digits and . _ - / in the key)`);
    if (value.length > MAX_VALUE) throw new Error(`label: the value of "${key}" has more than ${MAX_VALUE} characters`);
    labels.set(key, value);
  }
  return Object.fromEntries(labels);
}
