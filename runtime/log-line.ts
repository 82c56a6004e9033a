/**
 * One JSON log line as a short line for people: time, level, component, message, then what else it carries.
 *
 * Pure. Invariant: a line that is not ours is passed on as it is; control characters of values never reach the terminal.
 */

const COLOURS: Readonly<Record<string, number>> = {
  trace: 90,
  debug: 90,
  info: 36,
  warn: 33,
  error: 31,
  fatal: 35,
};

interface LogRecord {
  readonly time?: string;
  readonly level?: string;
  readonly component?: string;
  readonly msg?: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
  readonly [field: string]: unknown;
}

export function shortLine(json: string, colour: boolean): string {
  let record: LogRecord;
  try {
    record = JSON.parse(json) as LogRecord;
  } catch {
    return json;
  }
  const { time, level, component, msg, err, ...rest } = record;
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const name = level ?? 'info';
  const head = [
    paint(90, clockTime(time)),
    paint(COLOURS[name] ?? 0, name.toUpperCase().padEnd(5)),
    paint(90, component ?? ''),
    printable(msg ?? ''),
  ];
  const fields = Object.entries(rest).map(
    ([key, value]) => `${paint(90, `${key}=`)}${printable(text(value))}`,
  );
  const line = [...head, ...fields].filter((part) => part !== '').join(' ');
  if (err === undefined) return `${line}\n`;
  const stack = err.stack ?? err.message ?? text(err);
  return `${line}\n${paint(90, indent(printable(stack)))}\n`;
}

function clockTime(time: string | undefined): string {
  return time?.slice(11, 23) ?? '';
}

function text(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? '';
}

/** Other programs' output ends up in values; escape sequences could rewrite the terminal. */
function printable(value: string): string {
  return value.replace(/(?![\t\n])\p{Cc}/gu, '�');
}

function indent(value: string): string {
  return value
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
