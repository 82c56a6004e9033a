/** What counts as a reference in an input, and what is said of a wrong one. */
import { describe, expect, test } from 'vitest';
import type { InputTemplate } from '../../../coordinator/workflow/plan.ts';
import { mistakes, planOf, sentence, step } from './specs.ts';

const BEFORE = [
  step({ name: 'hero' }),
  step({ name: 'a.b' }),
  step({ name: 'a' }),
  step({ name: 'a.output' }),
];
const ARGS = '{"prompt":"cat","nested":{"list":[1,2]},"schema":{"$ref":"#/x"}}';

function spec(input: unknown, more: object = {}) {
  return { argumentsJson: ARGS, steps: [...BEFORE, { ...step({ name: 'me', input }), ...more }] };
}

function inputOf(input: unknown, more: object = {}): InputTemplate | undefined {
  return planOf(spec(input, more)).steps.at(-1)?.input;
}

describe('a reference', () => {
  test.each<[string, unknown, number, (string | number)[]]>([
    ['to a step', { $ref: 'hero' }, 0, []],
    ['to all of its output', { $ref: 'hero', path: 'output' }, 0, []],
    ['with an empty path', { $ref: 'hero', path: '' }, 0, []],
    ['into its output', { $ref: 'hero', path: 'output.images[0].url' }, 0, ['images', 0, 'url']],
    ['with a quoted name', { $ref: 'hero', path: 'output["a.b"][\'c d\']' }, 0, ['a.b', 'c d']],
    ['right into a list', { $ref: 'hero', path: 'output[3]' }, 0, [3]],
    ['by position', { $ref: '$1', path: 'output.x' }, 1, ['x']],
    ['to the arguments', { $ref: '$arguments' }, -1, []],
    ['into the arguments', { $ref: '$arguments', path: 'nested.list[1]' }, -1, ['nested', 'list', 1]],
    ['in a string', '{{hero.output.text}}', 0, ['text']],
    ['in a string with spaces', '{{  hero.output.text }}', 0, ['text']],
    ['in a string, to all of an output', '{{hero}}', 0, []],
    ['in a string, by position', '{{$0.output[1]}}', 0, [1]],
    ['in a string, to the arguments', '{{$arguments.prompt}}', -1, ['prompt']],
    ['in a string, to a name with a dot', '{{a.b.output.x}}', 1, ['x']],
    ['in a string, to the shorter of two names', '{{a.output.b.output}}', 2, ['b', 'output']],
    ['in a string, to the longer of two names', '{{a.output.output.x}}', 3, ['x']],
    ['in a string, to the name that leaves a path', '{{a.output}}', 2, []],
  ])('%s', (_what, input, source, path) => {
    expect(inputOf({ x: input })).toMatchObject({
      kind: 'template',
      parts: ['{"x":', { source, path, fallback: null, embedded: false }, '}'],
    });
  });

  test('knows its place', () => {
    const parts = inputOf({ a: [{ 'b c': { $ref: 'hero' } }], t: 'x {{hero}}' });
    expect(parts).toMatchObject({
      parts: ['{"a":[{"b c":', { at: 'input.a[0]["b c"].$ref' }, '}],"t":"x ', { at: 'input.t' }, '"}'],
    });
  });

  test('may have a default', () => {
    expect(inputOf({ $ref: 'hero', path: 'output.x', default: { a: [null] } })).toMatchObject({
      parts: [{ fallback: '{"a":[null]}' }],
    });
    expect(inputOf({ $ref: 'hero', default: null })).toMatchObject({ parts: [{ fallback: 'null' }] });
  });

  test('may come several times in a string', () => {
    expect(inputOf('"{{hero.output.a}}"\n{{a.b}}{{$arguments.prompt}}!')).toMatchObject({
      parts: [
        '"\\"',
        { source: 0, embedded: true },
        '\\"\\n',
        { source: 1, embedded: true },
        { source: -1, embedded: true },
        '!"',
      ],
    });
  });

  test('to the loop variable holds in the input of its step', () => {
    const more = { forEach: { itemsJson: '[{"u":1}]', as: 'frame' } };
    expect(inputOf({ $ref: 'frame', path: 'u' }, more)).toMatchObject({
      parts: [{ source: -2, path: ['u'] }],
    });
    expect(inputOf('n {{frame}}', more)).toMatchObject({
      parts: ['"n ', { source: -2, embedded: true }, '"'],
    });
  });

  test('is found behind escapes', () => {
    const json = '{"x":{"\\u0024ref":"hero"},"y":"\\u007b{hero}}"}';
    expect(planOf({ steps: [...BEFORE, { type: 'text.sum', inputJson: json }] }).steps.at(-1)?.needs).toEqual(
      [0],
    );
  });
});

describe('no reference', () => {
  test.each([
    ['a $ref that is text', '{"x":"$ref","y":["$refer"]}'],
    ['an escape', '{"x":"\\u00e9"}'],
    ['braces apart', '{"x":"{ {hero}}"}'],
    ['a template in the name of a property', '{"{{hero}}":1}'],
  ])('%s: the text is kept as it is', (_what, json) => {
    expect(planOf({ steps: [{ type: 'text.sum', inputJson: json }] }).steps[0]?.input).toEqual({
      kind: 'literal',
      json,
    });
  });

  test.each([
    ['\\{{hero}}', '{{hero}}'],
    ['a \\{{ b', 'a {{ b'],
    ['\\{{\\{{', '{{{{'],
  ])('escaped braces: %s', (text, value) => {
    expect(inputOf({ text })).toEqual({ kind: 'literal', json: JSON.stringify({ text: value }) });
  });

  test('escaped braces beside a template', () => {
    expect(inputOf('\\{{x}} {{hero}}')).toMatchObject({ parts: ['"{{x}} ', { source: 0 }, '"'] });
  });

  test('the arguments, the metadata and the state', () => {
    const data = '{"a":{"$ref":5,"x":1},"b":"{{nope}}"}';
    expect(
      mistakes({
        argumentsJson: data,
        metadataJson: data,
        stateJson: data,
        steps: [{ type: 'text.sum', metadataJson: data }],
      }),
    ).toEqual([]);
  });

  test('what the arguments hold where they are referred to', () => {
    expect(mistakes(spec({ schema: { $ref: '$arguments', path: 'schema' } }))).toEqual([]);
  });
});

describe('a wrong reference', () => {
  const at = 'steps[4].input';
  test.each<[string, unknown, string[]]>([
    ['to nothing', { $ref: 'nope' }, [`${at}.$ref UNKNOWN_REF`]],
    ['by a position too high', { $ref: '$5' }, [`${at}.$ref UNKNOWN_REF`]],
    ['by an odd position', { $ref: '$00' }, [`${at}.$ref UNKNOWN_REF`]],
    ['to itself', { $ref: 'me' }, [`${at}.$ref DAG_CYCLE`]],
    ['that is a number', { $ref: 5 }, [`${at}.$ref INVALID_VALUE`]],
    ['with a path that is a list', { $ref: 'hero', path: ['x'] }, [`${at}.path INVALID_PATH`]],
    [
      'with more beside it',
      { $ref: 'hero', pth: 'x', 'a b': 1 },
      [`${at}.pth INVALID_VALUE`, `${at}["a b"] INVALID_VALUE`],
    ],
    ['past the output', { $ref: 'hero', path: 'images[0]' }, [`${at}.path INVALID_PATH`]],
    ['with two dots', { $ref: 'hero', path: 'output..x' }, [`${at}.path INVALID_PATH`]],
    ['with a dot at the end', { $ref: 'hero', path: 'output.' }, [`${at}.path INVALID_PATH`]],
    ['with a dot at the start', { $ref: 'hero', path: '.output' }, [`${at}.path INVALID_PATH`]],
    ['with a negative position', { $ref: 'hero', path: 'output[-1]' }, [`${at}.path INVALID_PATH`]],
    ['with an open bracket', { $ref: 'hero', path: 'output[1' }, [`${at}.path INVALID_PATH`]],
    ['with a name behind a bracket', { $ref: 'hero', path: 'output[1]x' }, [`${at}.path INVALID_PATH`]],
    ['with all positions', { $ref: 'hero', path: 'output[*]' }, [`${at}.path INVALID_PATH`]],
    ['with a space', { $ref: 'hero', path: 'output.a b' }, [`${at}.path INVALID_PATH`]],
    ['through __proto__', { $ref: 'hero', path: 'output.__proto__.x' }, [`${at}.path FORBIDDEN_PATH`]],
    [
      'through a quoted constructor',
      { $ref: 'hero', path: 'output["constructor"]' },
      [`${at}.path FORBIDDEN_PATH`],
    ],
    [
      'through prototype in the arguments',
      { $ref: '$arguments', path: 'prototype' },
      [`${at}.path FORBIDDEN_PATH`],
    ],
    ['with a long path', { $ref: 'hero', path: `output${'.x'.repeat(500)}` }, [`${at}.path TOO_LONG`]],
    ['with a deep path', { $ref: 'hero', path: `output${'.x'.repeat(64)}` }, [`${at}.path TOO_DEEP`]],
    ['to what the arguments lack', { $ref: '$arguments', path: 'promt' }, [`${at}.$ref UNKNOWN_REF`]],
    [
      'with a reference as its default',
      { $ref: 'hero', default: [{ $ref: 'a' }] },
      [`${at}.default INVALID_VALUE`],
    ],
    ['with a template as its default', { $ref: 'hero', default: '{{a}}' }, [`${at}.default INVALID_VALUE`]],
    ['to a loop variable without a loop', { $ref: 'item' }, [`${at}.$ref UNKNOWN_REF`]],
    ['in a string, without an end', 'a {{hero', [`${at} INVALID_PATH`]],
    ['in a string, empty', '{{}}', [`${at} INVALID_PATH`]],
    ['in a string, an expression', '{{ hero.output.x | upper }}', [`${at} INVALID_PATH`]],
    ['in a string, JavaScript', 'f({{ {a: 1} }})', [`${at} INVALID_PATH`]],
    ['in a string, to nothing', 'Dear {{name}}', [`${at} UNKNOWN_REF`]],
    ['in a string, past the output', '{{hero.text}}', [`${at} INVALID_PATH`]],
    ['in a string, through __proto__', '{{hero.output.__proto__}}', [`${at} FORBIDDEN_PATH`]],
    ['in a string, to what the arguments lack', '{{$arguments.x.y}}', [`${at} UNKNOWN_REF`]],
    ['in a string, too long', `{{${'x'.repeat(1001)}}}`, [`${at} TOO_LONG`]],
    ['several in a string', '{{x}} {{hero.output}} {{y}}', [`${at} UNKNOWN_REF`, `${at} UNKNOWN_REF`]],
  ])('%s', (_what, input, expected) => {
    expect(mistakes(spec(input))).toEqual(expected);
  });

  test('a number beyond doubles beside one', () => {
    const inputJson = '{"x":{"$ref":"hero"},"n":1e999}';
    expect(mistakes({ steps: [...BEFORE, { type: 'text.sum', inputJson }] })).toEqual([
      'steps[4].input.n OUT_OF_RANGE',
    ]);
  });

  test('to the own loop variable, among the items it loops over', () => {
    const more = { forEach: { itemsJson: '[{"$ref":"item"}]' } };
    expect(mistakes(spec({}, more))).toEqual(['steps[4].forEach.items[0].$ref UNKNOWN_REF']);
  });

  test.each([
    ['"prompt"', 'must be a list'],
    ['"nested"', 'must be a list'],
  ])('to arguments that are nothing to loop over: %s', (path, message) => {
    const more = { forEach: { itemsJson: `{"$ref":"$arguments","path":${path}}` } };
    expect(mistakes(spec({}, more))).toEqual(['steps[4].forEach.items INVALID_VALUE']);
    expect(sentence(spec({}, more))).toContain(message);
  });

  test('says what is there instead', () => {
    expect(sentence(spec({ $ref: '$arguments', path: 'nested.list[2].x' }))).toBe(
      'there is no $arguments.nested.list[2].x: $arguments.nested.list is a list of 2',
    );
    expect(sentence(spec('{{$arguments.promt}}'))).toBe(
      'there is no $arguments.promt: $arguments has only "prompt", "nested", "schema"',
    );
  });

  test('says how to write it', () => {
    expect(sentence(spec({ $ref: 'hero', path: 'images[0].url' }))).toBe(
      'a path into a step starts with output: "output.images[0].url" instead of "images[0].url"',
    );
    expect(sentence(spec({ $ref: '#/$defs/x' }))).toContain('put it into the arguments');
    expect(sentence(spec('{{ }}'))).toContain('two literal braces are written \\{{');
  });
});
