/** Labels: `--label key=value`, which jobs may ask for. Pure. */

const KEY = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/;
const MAX_VALUE = 256;

/** What is wrong with labels, one sentence each. */
export function labelProblems(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...(KEY.test(key) ? [] : [`label: "${key}" is not a key (letters, digits and . _ - /, at most 63)`]),
    ...(value.length <= MAX_VALUE
      ? []
      : [`label: the value of "${key}" has more than ${MAX_VALUE} characters`]),
  ]);
}

/** From repeated `key=value` flags; the last of a key counts. Undefined for one without "=". */
export function labelsOf(flags: readonly string[]): Record<string, string> | undefined {
  if (!flags.every((flag) => flag.includes('='))) return undefined;
  return Object.fromEntries(
    flags.map((flag) => [flag.slice(0, flag.indexOf('=')), flag.slice(flag.indexOf('=') + 1)]),
  );
}
