/**
 * One view of the two kinds of schema an executor may declare: a Standard Schema (any library) or a plain
 * JSON Schema. Outside, both look the same: a checker for values and a JSON Schema text for the advertisement.
 */
import { compileJsonSchema, type JsonSchema } from './json-schema.ts';
import { isStandardSchema, type StandardIssue, type StandardSchema } from './standard-schema.ts';

export type Schema = StandardSchema | JsonSchema;

/** The value as the schema leaves it (defaults filled in), or every mistake in one sentence. */
export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Promise only where the schema library is asynchronous: callers on the fast path must not wait for nothing. */
export type Checker = (value: unknown) => Checked | Promise<Checked>;

const MAX_ISSUES = 10;

export function checkerFor(schema: Schema | null): Checker {
  if (schema === null) return (value) => ({ ok: true, value });
  if (!isStandardSchema(schema)) {
    const check = compileJsonSchema(schema);
    return (value) => {
      const issues = check(value);
      return issues.length === 0 ? { ok: true, value } : refused(issues);
    };
  }
  const standard = schema['~standard'];
  return (value) => {
    const result = standard.validate(value);
    return result instanceof Promise ? result.then(verdict) : verdict(result);
  };
}

function verdict(result: {
  readonly value?: unknown;
  readonly issues?: readonly StandardIssue[] | undefined;
}): Checked {
  return result.issues === undefined ? { ok: true, value: result.value } : refused(result.issues);
}

function refused(issues: readonly StandardIssue[]): Checked {
  const lines = issues.slice(0, MAX_ISSUES).map(({ path, message }) => {
    const place = (path ?? [])
      .map((part) => (typeof part === 'object' ? part.key : part))
      .reduce<string>(joinPath, '');
    return place === '' ? message : `${place}: ${message}`;
  });
  if (issues.length > MAX_ISSUES) lines.push(`and ${issues.length - MAX_ISSUES} more`);
  return { ok: false, message: lines.join('; ') };
}

function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? String(key) : `${path}.${String(key)}`;
}

/** JSON Schema text; '' where there is none or the library cannot express it (the value is then still checked). */
export function schemaJson(schema: Schema | null, side: 'input' | 'output'): string {
  if (schema === null) return '';
  if (!isStandardSchema(schema)) return JSON.stringify(schema);
  try {
    const described = schema['~standard'].jsonSchema?.[side]({ target: 'draft-2020-12' });
    return described === undefined ? '' : JSON.stringify(described);
  } catch {
    return '';
  }
}
