/** `--types image.*,text.count|all`: which of the executors at hand are offered. Pure. */

/** A test for step types; throws for an empty list. `*` stands for any run of characters. */
export function typeFilter(list: string): (type: string) => boolean {
  const patterns = patternsOf(list);
  if (patterns.length === 0) throw new Error('types: the list is empty; "all" offers everything');
  if (patterns.includes('all')) return () => true;
  return (type) => patterns.some((pattern) => matches(pattern, type));
}

/** True when the list has the type itself, not only a pattern that covers it. */
export function namesLiterally(list: string, type: string): boolean {
  return patternsOf(list).includes(type);
}

function patternsOf(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function matches(pattern: string, type: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === type;
  if (!type.startsWith(first)) return false;
  const last = rest.pop() as string;
  let at = first.length;
  for (const part of rest) {
    const found = type.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return type.length - last.length >= at && type.endsWith(last);
}
