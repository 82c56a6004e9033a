/** What references become once the outputs are there, and how a step fails when something is not. */
import { describe, expect, test } from 'vitest';
import {
  combineOutputs,
  type InputFailure,
  isPlanned,
  outputsRead,
  plannedInput,
  resolveStep,
  stepInputs,
} from '../../../coordinator/workflow/refs.ts';
import type { PlanStep } from '../../../coordinator/workflow/plan.ts';
import { planOf, step, type Written } from './specs.ts';

const HERO = {
  images: [{ url: 'u0' }],
  text: 'say "hi"\n',
  n: 5,
  zero: 0,
  no: false,
  nil: null,
  o: { k: [1, 'x'] },
};
const OUTPUTS: Record<number, string | null> = { 0: JSON.stringify(HERO), 1: null, 2: '[10,20]' };
const ARGS = '{"prompt":"cat","list":[{"u":"a"},{"u":"b"}]}';

const plan = (written: Written) =>
  planOf({
    argumentsJson: ARGS,
    steps: [
      step({ name: 'hero' }),
      step({ name: 'skipped' }),
      step({ name: 'l.ist' }),
      step({ name: 'me', ...written }),
    ],
  });

const outputs = (index: number): string | null | undefined => OUTPUTS[index];

/** Inputs of the jobs of the last step. */
function jobs(written: Written): unknown[] {
  const resolved = resolveStep(plan(written), 3, outputs);
  if (!resolved.ok) throw new Error(resolved.message);
  return resolved.jobs.map((job) => JSON.parse(job) as unknown);
}

function failure(
  written: Written,
  read: (index: number) => string | null | undefined = outputs,
): InputFailure {
  const resolved = resolveStep(plan(written), 3, read);
  if (resolved.ok) throw new Error('resolved');
  return resolved;
}

describe('a value', () => {
  test.each<[string, unknown, unknown]>([
    ['text', { $ref: 'hero', path: 'output.text' }, HERO.text],
    ['number', { $ref: 'hero', path: 'output.n' }, 5],
    ['zero', { $ref: 'hero', path: 'output.zero' }, 0],
    ['false', { $ref: 'hero', path: 'output.no' }, false],
    ['null', { $ref: 'hero', path: 'output.nil' }, null],
    ['null, for all the default', { $ref: 'hero', path: 'output.nil', default: 1 }, null],
    ['object', { $ref: 'hero', path: 'output.o' }, { k: [1, 'x'] }],
    ['element', { $ref: 'hero', path: 'output.images[0].url' }, 'u0'],
    ['element by a bare number', { $ref: 'hero', path: 'output.images.0.url' }, 'u0'],
    ['whole output', { $ref: 'l.ist' }, [10, 20]],
    ['element of the output', { $ref: '$2', path: 'output[1]' }, 20],
    ['argument', { $ref: '$arguments', path: 'prompt' }, 'cat'],
    ['default', { $ref: 'hero', path: 'output.gone.far', default: { a: 1 } }, { a: 1 }],
    ['null as default', { $ref: 'hero', path: 'output.gone', default: null }, null],
    ['skipped step', { $ref: 'skipped', path: 'output.a.b' }, null],
    ['skipped step with a default', { $ref: 'skipped', path: 'output.a', default: 'd' }, 'd'],
    ['template alone', '{{hero.output.o}}', { k: [1, 'x'] }],
    ['template alone, number', '{{hero.output.n}}', 5],
    ['template alone, skipped', '{{skipped.output.x}}', null],
    [
      'templates in text',
      'a {{hero.output.text}}b{{hero.output.n}}{{hero.output.no}}',
      'a say "hi"\nb5false',
    ],
    ['object in text', '<{{hero.output.o}}>', '<{"k":[1,"x"]}>'],
    ['null in text', '<{{hero.output.nil}}{{skipped}}>', '<>'],
    ['arguments in text', '{{$arguments.list[1].u}}!', 'b!'],
    ['text with spaces around', ' {{hero.output.n}}', ' 5'],
  ])('%s', (_what, input, value) => {
    expect(jobs({ input: { x: input } })).toEqual([{ x: value }]);
  });

  test('of a whole output keeps its text', () => {
    const resolved = resolveStep(
      plan({ input: [{ $ref: 'hero' }] }),
      3,
      () => '{ "big": 12345678901234567890 }',
    );
    expect(resolved).toMatchObject({ jobs: ['[{ "big": 12345678901234567890 }]'] });
  });

  test('is only ever an own property', () => {
    for (const path of ['output.toString', 'output.images.length', 'output.text[0]', 'output.text.length']) {
      expect(jobs({ input: { $ref: 'hero', path, default: 'none' } })).toEqual(['none']);
    }
  });

  test('may be called __proto__ inside an output, and stays data', () => {
    const resolved = resolveStep(plan({ input: { $ref: 'hero' } }), 3, () => '{"__proto__":{"x":1}}');
    expect(resolved).toMatchObject({ jobs: ['{"__proto__":{"x":1}}'] });
  });
});

describe('the combined outputs', () => {
  test('of the steps in dependsOn', () => {
    expect(jobs({ dependsOn: ['l.ist', 'skipped', 'hero'] })).toEqual([
      { hero: HERO, skipped: null, 'l.ist': [10, 20] },
    ]);
  });

  test('and the item, in a fan-out', () => {
    expect(jobs({ dependsOn: ['l.ist'], items: 2 })).toEqual([
      { item: 0, 'l.ist': [10, 20] },
      { item: 1, 'l.ist': [10, 20] },
    ]);
  });
});

describe('a fan-out', () => {
  test('over a number', () => {
    expect(jobs({ items: 3, input: { i: { $ref: 'item' }, t: 'n{{item}}' } })).toEqual([
      { i: 0, t: 'n0' },
      { i: 1, t: 'n1' },
      { i: 2, t: 'n2' },
    ]);
  });

  test('over a list', () => {
    expect(jobs({ items: [{ u: 'a' }, { u: 'b' }], as: 'f', input: '{{f.u}}-{{hero.output.n}}' })).toEqual([
      'a-5',
      'b-5',
    ]);
  });

  test('over an output', () => {
    expect(jobs({ items: { $ref: 'l.ist' }, input: { $ref: 'item' } })).toEqual([10, 20]);
  });

  test('over a number from an output', () => {
    expect(jobs({ items: { $ref: 'hero', path: 'output.n' }, input: { $ref: 'item' } })).toEqual([
      0, 1, 2, 3, 4,
    ]);
  });

  test('over arguments', () => {
    expect(jobs({ items: '{{$arguments.list}}', input: { $ref: 'item', path: 'u' } })).toEqual(['a', 'b']);
  });

  test('over a list of references', () => {
    expect(
      jobs({
        items: [1, { $ref: 'l.ist', path: 'output[0]' }, 'x{{hero.output.n}}'],
        input: { $ref: 'item' },
      }),
    ).toEqual([1, 10, 'x5']);
  });

  test('over nothing makes no jobs and looks nothing up', () => {
    expect(jobs({ items: [], input: { $ref: 'hero', path: 'output.gone' } })).toEqual([]);
    expect(jobs({ items: { $ref: 'skipped', default: [] }, input: { $ref: 'item' } })).toEqual([]);
  });

  test('gives each job the same literal', () => {
    expect(jobs({ items: 2, input: { same: 1 } })).toEqual([{ same: 1 }, { same: 1 }]);
  });

  test('of 10,000 is made in any order, with one look at each output', () => {
    let reads = 0;
    const wide = plan({ items: { $ref: 'l.ist' }, input: { i: { $ref: 'item' }, t: '{{hero.output.n}}' } });
    const inputs = stepInputs(wide, 3, (index) => {
      reads++;
      return index === 2 ? JSON.stringify(Array.from({ length: 10_000 }, (_, item) => item)) : outputs(index);
    });
    if (!inputs.ok) throw new Error(inputs.message);
    expect(inputs.total).toBe(10_000);
    expect(inputs.inputAt(9_999)).toEqual({ ok: true, json: '{"i":9999,"t":5}' });
    expect(inputs.inputAt(256)).toEqual({ ok: true, json: '{"i":256,"t":5}' });
    expect(reads).toBe(2);
  });
});

describe('fails', () => {
  const at = 'steps[3].input';
  test.each<[string, Written, Partial<InputFailure>]>([
    [
      'where a path ends early',
      { input: { x: { $ref: 'hero', path: 'output.images[1].url' } } },
      {
        path: `${at}.x.$ref`,
        message: 'there is no hero.output.images[1].url: hero.output.images is a list of 1',
      },
    ],
    [
      'where a name is missing',
      { input: { $ref: 'hero', path: 'output.o.j' } },
      { path: `${at}.$ref`, message: 'there is no hero.output.o.j: hero.output.o has only "k"' },
    ],
    [
      'in a template',
      { input: { t: 'a {{hero.output.text.x}}' } },
      { path: `${at}.t`, message: 'there is no hero.output.text.x: hero.output.text is text' },
    ],
    [
      'where a position is asked of an object',
      { input: { $ref: 'hero', path: 'output[0]' } },
      {
        message:
          'there is no hero.output[0]: hero.output has only "images", "text", "n", "zero", "no", "nil", "o"',
      },
    ],
    [
      'below null',
      { input: { $ref: 'hero', path: 'output.nil.x' } },
      { message: 'there is no hero.output.nil.x: hero.output.nil is null' },
    ],
    [
      'at the item that lacks it, before the first job',
      { items: [{ u: 1 }, { v: 1 }], input: { x: { $ref: 'item', path: 'u' } } },
      { path: `${at}.x.$ref`, message: 'there is no item.u: item has only "v" (item 1)' },
    ],
    [
      'where the items are no list',
      { items: { $ref: 'hero', path: 'output.o' }, input: {} },
      { path: 'steps[3].forEach.items', message: 'must be a list or a whole number, but is an object' },
    ],
    [
      'where the items were skipped',
      { items: { $ref: 'skipped' }, input: {} },
      {
        message: 'must be a list or a whole number, but is null; with the default [] there would be no jobs',
      },
    ],
    [
      'where the items are missing',
      { items: { $ref: 'hero', path: 'output.list' }, input: {} },
      { path: 'steps[3].forEach.items.$ref' },
    ],
  ])('%s', (_what, written, expected) => {
    expect(failure(written)).toMatchObject({ ok: false, reason: 'INPUT_UNRESOLVED', ...expected });
  });

  test('where an output is not there yet', () => {
    expect(failure({ input: { $ref: 'hero' } }, () => undefined)).toMatchObject({
      reason: 'INPUT_UNRESOLVED',
      message: 'there is no hero.output yet',
    });
  });

  test('where an output is not JSON', () => {
    const message = 'hero.output is no JSON';
    expect(failure({ input: { a: { $ref: 'hero' } } }, () => '1,"b":2')).toMatchObject({ message });
  });

  test('where a fan-out is given instead of its list', () => {
    expect(failure({ items: { $ref: 'hero' }, input: {} }, () => '{"items":[1]}').message).toMatch(
      /its list is output\.items$/,
    );
  });

  test('where a number of items is no number of jobs', () => {
    const items = { $ref: 'hero', path: 'output.n' };
    for (const n of [1.5, -1]) {
      expect(failure({ items, input: {} }, () => `{"n":${n}}`).message).toBe(
        `must be a list or a whole number, but is ${n}`,
      );
    }
  });

  test('where there are too many items', () => {
    expect(failure({ items: { $ref: 'hero' }, input: {} }, () => '100001')).toMatchObject({
      reason: 'INPUT_TOO_LARGE',
    });
  });

  test('where the input grows too large', () => {
    const large = JSON.stringify({ t: 'x'.repeat(1_000_000) });
    const input = Array.from({ length: 6 }, () => ({ $ref: 'hero', path: 'output.t' }));
    expect(failure({ input }, () => large)).toMatchObject({
      reason: 'INPUT_TOO_LARGE',
      path: `${at}[4].$ref`,
    });
    expect(
      failure(
        { items: { $ref: 'hero' }, input: { a: input.map(() => ({ $ref: 'item', path: 't' })) } },
        () => `[${large}]`,
      ),
    ).toMatchObject({
      reason: 'INPUT_TOO_LARGE',
    });
  });

  test('where the input grows too large in bytes', () => {
    const large = JSON.stringify({ t: '€'.repeat(1_500_000) });
    expect(failure({ input: { $ref: 'hero', path: 'output.t' } }, () => large).reason).toBe(
      'INPUT_TOO_LARGE',
    );
  });

  test('nowhere, where the reader of outputs throws: that is for its caller', () => {
    class Missing extends Error {}
    const read = (): never => {
      throw new Missing();
    };
    expect(() => stepInputs(plan({ input: { $ref: 'hero' } }), 3, read)).toThrow(Missing);
  });
});

test('outputsRead names the steps that are read, not those merely waited for', () => {
  const read = (written: Written) =>
    outputsRead(planOf({ steps: plan(written).steps.map(() => step()) }).steps[0] ?? never());
  expect(read({})).toEqual([]);
  const last = (written: Written) => outputsRead(plan(written).steps[3] ?? never());
  expect(last({ dependsOn: ['hero'], input: {} })).toEqual([]);
  expect(last({ dependsOn: ['hero', 'l.ist'] })).toEqual([0, 2]);
  expect(
    last({ items: { $ref: 'l.ist' }, input: ['{{item}}', { $ref: 'hero' }, { $ref: '$arguments' }] }),
  ).toEqual([0, 2]);
});

function never(): never {
  throw new Error('no such step');
}

test.each([
  [[], '{"items":[]}'],
  [['1', '{"a":2}', 'null'], '{"items":[1,{"a":2},null]}'],
  [['1', null, undefined, ''], '{"items":[1,null,null,null]}'],
])('combineOutputs(%j)', (outputs, text) => {
  expect(combineOutputs(outputs)).toBe(text);
});

describe('inputs that the plan tells', () => {
  const last = (written: Written) => plan(written).steps[3] as PlanStep;

  test('are those without outputs of steps', () => {
    expect(isPlanned(last({ input: { a: 1 } }))).toBe(true);
    expect(isPlanned(last({ input: { p: { $ref: '$arguments', path: 'prompt' } } }))).toBe(true);
    expect(isPlanned(last({ input: { $ref: 'item' }, items: [1, 2] }))).toBe(true);
    expect(isPlanned(last({ input: { $ref: 'hero' } }))).toBe(false);
    expect(isPlanned(last({ input: { $ref: 'item' }, items: { $ref: 'hero', path: 'output.images' } }))).toBe(
      false,
    );
    expect(isPlanned(last({ input: {}, items: { $ref: 'hero', path: 'output.images' } }))).toBe(true);
  });

  test('are made again as they were made first', () => {
    const written: Written = {
      input: { p: { $ref: '$arguments', path: 'prompt' }, i: { $ref: 'item', path: 'u' } },
      items: [{ u: 'a' }, { u: 'b' }],
    };
    const made = plan(written);
    expect([1, 0, 1].map((slot) => JSON.parse(plannedInput(made, 3, slot)) as unknown)).toEqual(
      [1, 0, 1].map((slot) => jobs(written)[slot]),
    );
    expect(plannedInput(plan({ input: { a: 1 } }), 3, 0)).toBe('{"a":1}');
  });
});
