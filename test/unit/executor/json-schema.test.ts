import { describe, expect, it } from 'vitest';
import { compileJsonSchema } from '../../../sdk/executor/json-schema.ts';

const mistakes = (schema: unknown, value: unknown): string[] =>
  compileJsonSchema(schema)(value).map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('accepts and refuses', () => {
  it.each<[string, unknown, unknown[], unknown[]]>([
    ['type', { type: ['string', 'null'] }, ['a', null], [1, {}, []]],
    ['integer', { type: 'integer' }, [1, 1.0, -3], [1.5, '1']],
    ['object is no list', { type: 'object' }, [{}], [[], null]],
    ['enum', { enum: [1, 'a', { x: 1 }] }, [1, { x: 1 }], [2, { x: 2 }]],
    ['const', { const: { a: [1] } }, [{ a: [1] }], [{ a: [2] }]],
    ['numbers', { minimum: 1, exclusiveMaximum: 5, multipleOf: 0.1 }, [1, 4.9, 0.3 + 1, 'x'], [0.9, 5, 1.05]],
    [
      'strings count characters',
      { minLength: 2, maxLength: 3, pattern: '^a' },
      ['ab', 'a😀😀'],
      ['a', 'abcd', 'bbb'],
    ],
    [
      'lists',
      { items: { type: 'number' }, minItems: 1, maxItems: 2, uniqueItems: true },
      [[1, 2]],
      [[], [1, 1], ['a'], [1, 2, 3]],
    ],
    [
      'tuples',
      { prefixItems: [{ type: 'string' }], items: { type: 'number' } },
      [['a', 1], []],
      [[1], ['a', 'b']],
    ],
    ['contains', { contains: { const: 3 } }, [[1, 3]], [[1]]],
    ['required without properties', { required: ['a'] }, [{ a: undefined }, 5], [{}]],
    [
      'no further properties',
      { properties: { a: {} }, additionalProperties: false },
      [{ a: 1 }, {}],
      [{ b: 1 }],
    ],
    [
      'pattern properties',
      { patternProperties: { '^n': { type: 'number' } }, additionalProperties: false },
      [{ n1: 1 }],
      [{ n1: 'x' }, { m: 1 }],
    ],
    [
      'names and counts',
      { propertyNames: { maxLength: 1 }, minProperties: 1, maxProperties: 2 },
      [{ a: 1 }],
      [{}, { ab: 1 }, { a: 1, b: 1, c: 1 }],
    ],
    ['allOf', { allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1, 2], [0, 3]],
    ['anyOf', { anyOf: [{ type: 'string' }, { minimum: 5 }] }, ['a', 6], [1]],
    ['oneOf', { oneOf: [{ multipleOf: 3 }, { multipleOf: 5 }] }, [3, 5], [15, 4]],
    ['not', { not: { type: 'string' } }, [1], ['a']],
    [
      'if',
      JSON.parse('{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}'),
      [{ a: 1, b: 1 }, { c: 1 }],
      [{ a: 1 }, {}],
    ],
    ['booleans', false, [], [1, null]],
    ['annotations', { title: 't', default: 3, format: 'email', examples: [] }, ['x'], []],
  ])('%s', (_name, schema, good, bad) => {
    for (const value of good) expect(mistakes(schema, value)).toEqual([]);
    for (const value of bad) expect(mistakes(schema, value)).not.toEqual([]);
  });

  it('follows recursive references', () => {
    const schema = {
      $ref: '#/$defs/node',
      $defs: {
        node: { type: 'object', properties: { kids: { type: 'array', items: { $ref: '#/$defs/node' } } } },
      },
    };
    expect(mistakes(schema, { kids: [{ kids: [] }] })).toEqual([]);
    expect(mistakes(schema, { kids: [{ kids: [5] }] })).toEqual(['kids.0.kids.0: must be object']);
  });

  it('keeps __proto__ an ordinary key', () => {
    const value: unknown = JSON.parse('{"__proto__": 1}');
    expect(mistakes({ additionalProperties: false }, value)).toHaveLength(1);
    expect(mistakes({ required: ['toString'] }, {})).toHaveLength(1);
  });

  it('names every mistake with its place', () => {
    const schema = { type: 'object', required: ['a'], properties: { b: { items: { type: 'number' } } } };
    expect(mistakes(schema, { b: [1, 'x', 'y'] })).toEqual([
      'a: is required',
      'b.1: must be number',
      'b.2: must be number',
    ]);
  });
});

it.each([
  [{ unevaluatedProperties: false }, '#/unevaluatedProperties: this keyword is not supported'],
  [
    { properties: { a: { dependentRequired: {} } } },
    '#/properties/a/dependentRequired: this keyword is not supported',
  ],
  [{ $ref: 'https://example.com/x' }, '#/$ref: only references within the schema are supported'],
  [{ $ref: '#/$defs/x' }, '#/$ref: #/$defs/x does not exist'],
  [{ items: 5 }, '#/items: a schema is an object or a boolean'],
])('%j is refused before any value is checked', (schema, why) => {
  expect(() => compileJsonSchema(schema)).toThrow(why);
});
