import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  defineExecutor,
  findExecutors,
  isExecutor,
  type ExecutorContext,
} from '../../../sdk/executor/index.ts';
import { checkerFor, schemaJson } from '../../../sdk/executor/schema.ts';

const run = (): null => null;

describe('defineExecutor', () => {
  it('fills in defaults and freezes', () => {
    const executor = defineExecutor({ type: 'a.b', run });
    expect(executor).toMatchObject({
      ...{ type: 'a.b', version: '1', description: '', concurrency: 'auto', isolation: 'process', cost: '' },
      ...{ deterministic: false, gpus: 0, vramBytes: 0, env: [], input: null, output: null, setup: null },
    });
    expect(Object.isFrozen(executor)).toBe(true);
    expect(isExecutor(executor)).toBe(true);
  });

  it('types input and output by a Standard Schema', () => {
    defineExecutor({
      type: 'typed',
      input: z.object({ n: z.number().default(1), s: z.string().transform((s) => s.length) }),
      output: z.object({ m: z.number() }),
      run(input, context) {
        expectTypeOf(input).toEqualTypeOf<{ n: number; s: number }>();
        expectTypeOf(context).toEqualTypeOf<ExecutorContext>();
        return { m: input.n };
      },
    });
    // @ts-expect-error the output lacks m
    defineExecutor({ type: 'typed', output: z.object({ m: z.number() }), run: () => ({ n: 1 }) });
    defineExecutor({
      type: 'generators',
      output: z.string(),
      async *run() {
        yield 'x';
        yield { progress: 1 };
        return 'x';
      },
    });
    const annotated = defineExecutor({
      type: 'annotated',
      input: { type: 'object' },
      run: (input: { n: number }) => input.n,
    });
    expect(annotated.type).toBe('annotated');
  });

  it('keeps the definition as this', () => {
    const definition = {
      type: 't',
      factor: 3,
      run(this: { factor: number }) {
        return this.factor;
      },
    };
    expect(defineExecutor(definition).run(null, {} as ExecutorContext)).toBe(3);
  });

  it.each<[object, RegExp]>([
    [{ type: '' }, /type is/],
    [{ type: '-x' }, /type is/],
    [{ run: undefined }, /run is missing/],
    [{ concurrency: 0 }, /concurrency/],
    [{ concurrency: 1.5 }, /concurrency/],
    [{ isolation: 'thread' }, /isolation/],
    [{ resources: { gpus: -1 } }, /resources\.gpus/],
    [{ cost: 'input.' }, /cost: unexpected/],
    [{ cost: -1 }, /cost must/],
    [{ cost: Number.NaN }, /cost must/],
    [{ input: { type: 'object', unevaluatedItems: false } }, /input: .*not supported/],
  ])('refuses %j', (mistake, why) => {
    expect(() => defineExecutor({ type: 'x', run, ...mistake })).toThrow(why);
  });
});

describe('findExecutors', () => {
  it('looks at default, named and listed exports, each once', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((type) => defineExecutor({ type, run }));
    expect(findExecutors({ default: [a, b], again: a, c, other: 5, nothing: null })).toEqual([a, b, c]);
  });

  it('finds those made with another copy of the package', () => {
    const foreign = { [Symbol.for('dibs.executor')]: 1, type: 'foreign' };
    expect(findExecutors({ foreign })).toEqual([foreign]);
  });
});

describe('schemas', () => {
  it('are told as JSON Schema by whoever made them', () => {
    expect(JSON.parse(schemaJson(z.object({ n: z.number().default(3) }), 'input'))).toMatchObject({
      properties: { n: { default: 3 } },
    });
    expect(schemaJson({ type: 'string' }, 'output')).toBe('{"type":"string"}');
    expect(schemaJson(null, 'input')).toBe('');
    expect(schemaJson(z.date(), 'input')).toBe('');
  });

  it('name mistakes by path', async () => {
    const check = checkerFor(z.object({ list: z.array(z.object({ n: z.number() })) }));
    expect(check({ list: [{ n: 1 }, { n: 'x' }] })).toMatchObject({
      ok: false,
      message: expect.stringMatching(/^list\[1\]\.n: /),
    });
    const late = checkerFor(z.string().refine(async (s) => s === 'a'));
    expect(await late('b')).toMatchObject({ ok: false });
    expect(await late('a')).toEqual({ ok: true, value: 'a' });
  });
});
