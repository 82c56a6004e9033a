/**
 * Checks values against a plain JSON Schema (2020-12), for executors that bring no schema library.
 *
 * Siblings: `schema.ts` picks this or a Standard Schema. Hand-written because zod's `fromJSONSchema` drops
 * `required` without `properties` and refuses `not` and `if` (tried with 4.6), which would let bad input through.
 *
 * Invariants:
 * 1. A keyword that would restrict values and is not known here is refused when the schema is compiled: a schema
 *    is never half obeyed. `format` is an annotation, as 2020-12 has it.
 * 2. Values are never changed; `default` is an annotation.
 */
import { isDeepStrictEqual } from 'node:util';

export type JsonSchema = { readonly [keyword: string]: unknown };

export interface SchemaIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Path = readonly (string | number)[];
type Check = (value: unknown, path: Path, issues: SchemaIssue[]) => void;
type Compile = (schema: unknown, where: string) => Check;
/** `schema` is the object the keyword stands in: some keywords read their neighbours. */
type Keyword = (argument: never, schema: JsonSchema, compile: Compile, where: string) => Check;

/** Throws a TypeError that names the place of the first thing it does not know. */
export function compileJsonSchema(root: unknown): (value: unknown) => SchemaIssue[] {
  const known = new Map<unknown, Check>();

  const compile: Compile = (schema, where) => {
    if (schema === true) return () => {};
    if (schema === false)
      return (_value, path, issues) => void issues.push({ path, message: 'is not allowed here' });
    if (!isObject(schema)) throw new TypeError(`${where}: a schema is an object or a boolean`);
    const ready = known.get(schema);
    if (ready !== undefined) return ready;
    const checks: Check[] = [];
    // Set before its parts are compiled, so that a recursive $ref finds it.
    const all: Check = (value, path, issues) => {
      for (const check of checks) check(value, path, issues);
    };
    known.set(schema, all);
    for (const [name, argument] of Object.entries(schema)) {
      if (ANNOTATIONS.has(name)) continue;
      const place = `${where}/${name}`;
      if (name === '$ref') checks.push(compile(resolve(root, argument, place), String(argument)));
      else if (Object.hasOwn(KEYWORDS, name)) {
        checks.push((KEYWORDS[name] as Keyword)(argument as never, schema, compile, place));
      } else throw new TypeError(`${place}: this keyword is not supported`);
    }
    return all;
  };

  const check = compile(root, '#');
  return (value) => {
    const issues: SchemaIssue[] = [];
    check(value, [], issues);
    return issues;
  };
}

const ANNOTATIONS: ReadonlySet<string> = new Set(
  (
    '$schema $id $comment $defs definitions title description default examples deprecated readOnly writeOnly ' +
    'format contentEncoding contentMediaType then else'
  ).split(' '),
);

/** A keyword that speaks of one kind of value and lets the others pass. */
const on =
  <T>(is: (value: unknown) => value is T, holds: (value: T) => boolean, message: string): Check =>
  (value, path, issues) => {
    if (is(value) && !holds(value)) issues.push({ path, message });
  };

const each =
  (check: (value: { [key: string]: unknown }, path: Path, issues: SchemaIssue[]) => void): Check =>
  (value, path, issues) => {
    if (isObject(value)) check(value, path, issues);
  };

const KEYWORDS: Readonly<Record<string, Keyword>> = {
  type: (types: string | readonly string[]) => {
    const names = typeof types === 'string' ? [types] : types;
    return (value, path, issues) => {
      if (!names.some((name) => hasType(value, name)))
        issues.push({ path, message: `must be ${names.join(' or ')}` });
    };
  },
  enum: (values: readonly unknown[]) =>
    on(
      isAny,
      (value) => values.some((one) => isDeepStrictEqual(one, value)),
      `must be one of ${JSON.stringify(values)}`,
    ),
  const: (wanted: unknown) =>
    on(isAny, (value) => isDeepStrictEqual(wanted, value), `must be ${JSON.stringify(wanted)}`),

  minimum: (n: number) => on(isNumber, (value) => value >= n, `must be at least ${n}`),
  maximum: (n: number) => on(isNumber, (value) => value <= n, `must be at most ${n}`),
  exclusiveMinimum: (n: number) => on(isNumber, (value) => value > n, `must be more than ${n}`),
  exclusiveMaximum: (n: number) => on(isNumber, (value) => value < n, `must be less than ${n}`),
  multipleOf: (n: number) => on(isNumber, (value) => isMultiple(value, n), `must be a multiple of ${n}`),

  minLength: (n: number) =>
    on(isString, (value) => [...value].length >= n, `must have at least ${n} characters`),
  maxLength: (n: number) =>
    on(isString, (value) => [...value].length <= n, `must have at most ${n} characters`),
  pattern: (source: string) => {
    const pattern = new RegExp(source, 'u');
    return on(isString, (value) => pattern.test(value), `must match ${source}`);
  },

  minItems: (n: number) => on(Array.isArray, (value) => value.length >= n, `must have at least ${n} items`),
  maxItems: (n: number) => on(Array.isArray, (value) => value.length <= n, `must have at most ${n} items`),
  uniqueItems: (wanted: boolean) =>
    on(Array.isArray, (value) => !wanted || allDiffer(value), 'must not repeat items'),
  prefixItems: (schemas: readonly unknown[], _schema, compile, where) => {
    const checks = schemas.map((schema, index) => compile(schema, `${where}/${index}`));
    return (value, path, issues) => {
      if (Array.isArray(value))
        checks.forEach((check, i) => i < value.length && check(value[i], [...path, i], issues));
    };
  },
  items: (items: unknown, schema, compile, where) => {
    const check = compile(items, where);
    const first = Array.isArray(schema['prefixItems']) ? schema['prefixItems'].length : 0;
    return (value, path, issues) => {
      if (!Array.isArray(value)) return;
      for (let i = first; i < value.length; i++) check(value[i], [...path, i], issues);
    };
  },
  contains: (wanted: unknown, _schema, compile, where) => {
    const holds = passes(compile(wanted, where));
    return on(Array.isArray, (value) => value.some(holds), 'lacks an item of the wanted kind');
  },

  required: (names: readonly string[]) =>
    each((value, path, issues) => {
      for (const name of names)
        if (!Object.hasOwn(value, name)) issues.push({ path: [...path, name], message: 'is required' });
    }),
  properties: (schemas: Record<string, unknown>, _schema, compile, where) => {
    const checks = Object.entries(schemas).map(
      ([name, schema]) => [name, compile(schema, `${where}/${name}`)] as const,
    );
    return each((value, path, issues) => {
      for (const [name, check] of checks)
        if (Object.hasOwn(value, name)) check(value[name], [...path, name], issues);
    });
  },
  patternProperties: (schemas: Record<string, unknown>, _schema, compile, where) => {
    const checks = Object.entries(schemas).map(
      ([source, schema]) => [new RegExp(source, 'u'), compile(schema, `${where}/${source}`)] as const,
    );
    return each((value, path, issues) => {
      for (const key of Object.keys(value)) {
        for (const [pattern, check] of checks)
          if (pattern.test(key)) check(value[key], [...path, key], issues);
      }
    });
  },
  additionalProperties: (rest: unknown, schema, compile, where) => {
    const check = compile(rest, where);
    const named = new Set(Object.keys((schema['properties'] as object | undefined) ?? {}));
    const patterns = Object.keys((schema['patternProperties'] as object | undefined) ?? {}).map(
      (p) => new RegExp(p, 'u'),
    );
    return each((value, path, issues) => {
      for (const key of Object.keys(value)) {
        if (!named.has(key) && !patterns.some((p) => p.test(key))) check(value[key], [...path, key], issues);
      }
    });
  },
  propertyNames: (names: unknown, _schema, compile, where) => {
    const check = compile(names, where);
    return each((value, path, issues) =>
      Object.keys(value).forEach((key) => check(key, [...path, key], issues)),
    );
  },
  minProperties: (n: number) =>
    on(isObject, (value) => Object.keys(value).length >= n, `must have at least ${n} properties`),
  maxProperties: (n: number) =>
    on(isObject, (value) => Object.keys(value).length <= n, `must have at most ${n} properties`),

  allOf: (schemas: readonly unknown[], _schema, compile, where) => {
    const checks = schemas.map((schema, index) => compile(schema, `${where}/${index}`));
    return (value, path, issues) => checks.forEach((check) => check(value, path, issues));
  },
  anyOf: (schemas: readonly unknown[], _schema, compile, where) => {
    const tests = schemas.map((schema, index) => passes(compile(schema, `${where}/${index}`)));
    return on(isAny, (value) => tests.some((test) => test(value)), 'fits none of the allowed shapes');
  },
  oneOf: (schemas: readonly unknown[], _schema, compile, where) => {
    const tests = schemas.map((schema, index) => passes(compile(schema, `${where}/${index}`)));
    return on(
      isAny,
      (value) => tests.filter((test) => test(value)).length === 1,
      'must fit exactly one of the allowed shapes',
    );
  },
  not: (schema: unknown, _schema, compile, where) => {
    const test = passes(compile(schema, where));
    return on(isAny, (value) => !test(value), 'has a shape that is not allowed');
  },
  if: (condition: unknown, schema, compile, where) => {
    const test = passes(compile(condition, where));
    const yes = compile(schema['then'] ?? true, `${where}/then`);
    const no = compile(schema['else'] ?? true, `${where}/else`);
    return (value, path, issues) => (test(value) ? yes : no)(value, path, issues);
  },
};

function passes(check: Check): (value: unknown) => boolean {
  return (value) => {
    const issues: SchemaIssue[] = [];
    check(value, [], issues);
    return issues.length === 0;
  };
}

/** Target of a `$ref` within the same document. */
function resolve(root: unknown, reference: unknown, where: string): unknown {
  if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) {
    throw new TypeError(`${where}: only references within the schema are supported`);
  }
  let target = root;
  for (const part of reference.split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, key)) {
      throw new TypeError(`${where}: ${reference} does not exist`);
    }
    target = (target as Record<string, unknown>)[key];
  }
  return target;
}

function hasType(value: unknown, name: string): boolean {
  switch (name) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === name;
  }
}

function allDiffer(values: readonly unknown[]): boolean {
  return values.every((value, i) => values.slice(i + 1).every((later) => !isDeepStrictEqual(value, later)));
}

/** 0.3 is a multiple of 0.1, though its quotient is 2.9999999999999996. */
function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9 * Math.max(1, Math.abs(quotient));
}

function isAny(_value: unknown): _value is unknown {
  return true;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
