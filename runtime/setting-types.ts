/**
 * Types of settings, as zod schemas that take both what a file holds (numbers, lists) and what a flag or a variable
 * holds (text). Durations become milliseconds, sizes bytes.
 */
import { z } from 'zod';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Non-empty text. */
export const text = z.string().trim().min(1, 'must not be empty');

/** `true`, `yes`, `on`, `1` and their opposites. */
export const toggle = z.union(
  [z.boolean(), z.stringbool({ truthy: ['true', 'yes', 'on', '1'], falsy: ['false', 'no', 'off', '0'] })],
  {
    error: 'must be true or false',
  },
);

export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodType<number> {
  const sentence =
    max === Number.MAX_SAFE_INTEGER
      ? `must be a whole number from ${min}`
      : `must be a whole number from ${min} to ${max}`;
  return z.preprocess(
    numeric,
    z.number({ error: sentence }).int(sentence).min(min, sentence).max(max, sentence),
  );
}

/** `30s`, `5m`, `1h30m`, `250ms`; a bare number is refused, for nobody can say which unit it means. Gives milliseconds. */
export const duration: z.ZodType<number> = z.unknown().transform((value, context) => {
  const milliseconds = typeof value === 'string' ? parseDuration(value) : undefined;
  if (milliseconds !== undefined) return milliseconds;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 250ms, 30s, 5m or 1h30m' });
  return z.NEVER;
});

/** `10GiB`, `512MiB`, `1.5GB`, or a number of bytes. Gives bytes. */
export const byteSize: z.ZodType<number> = z.unknown().transform((value, context) => {
  const bytes = parseBytes(value);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'must be a size such as 512MiB, 10GiB or a number of bytes' });
  return z.NEVER;
});

/** A list in a file; text with commas elsewhere. */
export const textList: z.ZodType<string[]> = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
      : value,
  z.array(z.string({ error: 'must be a list of texts' }), { error: 'must be a list of texts' }),
);

/** A mapping in a file; `key=value,key=value` elsewhere. */
export const textMap: z.ZodType<Record<string, string>> = z.preprocess(
  (value) => (typeof value === 'string' ? pairs(value) : value),
  z.record(z.string(), z.coerce.string(), { error: 'must be pairs such as zone=eu,disk=ssd' }),
);

/** host:port, [v6]:port, :port (all addresses) or port (this machine only). */
export const listenAddress = z.union([z.string(), z.number()]).transform((value, context) => {
  const written = String(value).trim();
  const match = /^(?:(?:\[([^\]]+)\]|([^:\s]*)):)?(\d+)$/.exec(written);
  const port = Number(match?.[3]);
  if (match !== null && port <= 65535) {
    return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
  }
  context.addIssue({
    code: 'custom',
    message: 'must be an address such as 127.0.0.1:7700, [::1]:7700, :7700 or 7700',
  });
  return z.NEVER;
});

export function parseDuration(value: string): number | undefined {
  const trimmed = value.trim();
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  return Math.round(total);
}

function parseBytes(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?) ?([kmgt]?i?b?)$/i.exec(value.trim()) : null;
  const factor = UNIT_BYTES[(match?.[2] ?? '?').toLowerCase()];
  return match === null || factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}

function pairs(value: string): Record<string, string> | string {
  const entries = value.split(',').filter((part) => part.trim() !== '');
  if (entries.some((entry) => !entry.includes('='))) return value;
  return Object.fromEntries(
    entries.map((entry) => [
      entry.slice(0, entry.indexOf('=')).trim(),
      entry.slice(entry.indexOf('=') + 1).trim(),
    ]),
  );
}

function numeric(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value;
}
