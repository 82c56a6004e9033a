import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileCost, MAX_DEPTH, MAX_LENGTH } from '../../../sdk/common/cost-expression.ts';
import type { Json } from '../../../sdk/common/json.ts';

function cost(source: string, input: Json = null): number | string {
  const compiled = compileCost(source);
  if (!compiled.ok) return `refused: ${compiled.message}`;
  const result = compiled.evaluate(input);
  return result.ok ? result.cost : result.message;
}

describe('arithmetic', () => {
  it.each([
    ['1', 1],
    [' 2.5e3 ', 2500],
    ['.5 + 1', 1.5],
    ['2 + 3 * 4', 14],
    ['(2 + 3) * 4', 20],
    ['20 / 4 / 5', 1],
    ['10 - 3 - 2', 5],
    ['17 % 5', 2],
    ['-2 * -3', 6],
    ['- -3', 3],
    ['max(1, 2, 3) + min(4, 5)', 7],
    ['ceil(1.2) * 10 + floor(1.8)', 21],
  ])('%s = %d', (source, value) => expect(cost(source)).toBe(value));

  it('follows the usual precedence in generated expressions', () => {
    const { expression } = fc.letrec<{ expression: Reference }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 5, withCrossShrink: true },
        fc.integer({ min: 0, max: 1000 }).map((value) => ({ text: String(value), value, binds: 3 })),
        fc
          .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/', '%'), tie('expression'))
          .map(([left, operator, right]) => combine(left, operator, right)),
        tie('expression').map(({ text, value, binds }) => ({
          text: `-${binds < 3 ? `(${text})` : text}`,
          value: -value,
          binds: 3,
        })),
      ),
    }));
    fc.assert(
      fc.property(expression, ({ text, value }) => {
        const wanted = !Number.isFinite(value)
          ? 'the cost is not finite'
          : value < 0
            ? `the cost is negative (${value})`
            : value;
        fc.pre(text.length <= MAX_LENGTH);
        expect(cost(text)).toBe(wanted);
      }),
    );
  });
});

/** An expression as text, what it is worth, and how tightly its outermost operator binds. */
interface Reference {
  readonly text: string;
  readonly value: number;
  readonly binds: number;
}

/** Parentheses only where the grammar needs them, so that precedence and associativity are what is tested. */
function combine(left: Reference, operator: string, right: Reference): Reference {
  const binds = operator === '+' || operator === '-' ? 1 : 2;
  const first = left.binds < binds ? `(${left.text})` : left.text;
  const second = right.binds <= binds ? `(${right.text})` : right.text;
  const values: Record<string, number> = {
    '+': left.value + right.value,
    '-': left.value - right.value,
    '*': left.value * right.value,
    '/': left.value / right.value,
    '%': left.value % right.value,
  };
  return { text: `${first} ${operator} ${second}`, value: values[operator] ?? Number.NaN, binds };
}

describe('paths', () => {
  const input = {
    width: 512,
    height: 256,
    images: ['a', 'b', 'c'],
    nested: { 'odd key': [{ n: 4 }] },
    none: null,
  };
  it.each([
    ['input.width * input.height / 1e6', 0.131072],
    ['length(input.images)', 3],
    ['length(input.images[0])', 1],
    ['length(input.nested)', 1],
    ['input.nested["odd key"][0].n', 4],
    ['input.steps ?? 20', 20],
    ['input.none ?? input.missing.deeper ?? 7', 7],
    ['(input.steps ?? 20) * 2', 40],
    ['input.images[9] ?? 1', 1],
  ])('%s = %d', (source, value) => expect(cost(source, input)).toBe(value));

  it.each([
    ['input.missing', /found nothing/],
    ['input.none + 1', /found null/],
    ['input.images', /found a list/],
    ['input.images[0]', /found a string/],
    ['input.images.length', /write length\(input\.images\)/],
    ['length(input.width)', /length needs/],
    ['1 / 0', /not finite/],
    ['0 - 1', /negative/],
  ])('%s has no cost', (source, why) => expect(cost(source, input)).toMatch(why));

  it('reads own properties only', () => {
    expect(cost('input.toString ?? 1', {})).toBe(1);
    expect(cost('input.valueOf', {})).toMatch(/found nothing/);
    expect(cost('input.a', JSON.parse('{"__proto__":{"a":5}}') as Json)).toMatch(/found nothing/);
  });
});

describe('refused texts', () => {
  it.each([
    ['', /unexpected "the end"/],
    ['1 +', /unexpected "the end" at character 4/],
    ['1 2', /unexpected "2" at character 3/],
    ['input.__proto__.x', /"__proto__" may not be read/],
    ['input["constructor"]', /"constructor" may not be read/],
    ['input[1.5]', /unexpected/],
    ['process.exit(1)', /"process" is neither/],
    ['toString(1)', /"toString" is neither/],
    ['min()', /unexpected "\)"/],
    ['ceil(1, 2)', /ceil takes 1 values/],
    ['1; 2', /unexpected text at character 2/],
    ['`1`', /unexpected text/],
    ['(1', /expected "\)"/],
    [`${'('.repeat(MAX_DEPTH + 1)}1`, /nested deeper/],
    [`${'-'.repeat(MAX_DEPTH + 1)}1`, /nested deeper/],
    ['1'.padEnd(MAX_LENGTH + 1, '1'), /longer than/],
  ])('%s', (source, why) => expect(cost(source)).toMatch(why));

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (source, input) => {
        expect(['number', 'string']).toContain(typeof cost(source, input as Json));
      }),
    );
  });
});
