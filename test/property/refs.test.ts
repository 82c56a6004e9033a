/** Templates filled part by part give what a plain walk over the input gives. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineOutputs, resolveStep, stepInputs } from '../../coordinator/workflow/refs.ts';
import { compileWorkflow } from '../../coordinator/workflow/spec.ts';
import type { Json } from '../../sdk/common/json.ts';

const NAMES = ['hero', 'a.b', 'text'] as const;

/** Small values with few names, so that paths often find something. */
const { value: data } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(
      null,
      true,
      0,
      -1.5,
      1e21,
      '',
      'x',
      'é"\\\n',
      '\ud83d\ude00',
      '\ud83d',
      '{{',
      '}} {{hero}}',
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('x', 'y', '0', 'a b', '$ref', '__proto__', 'length'), tie('value'), {
      maxKeys: 4,
    }),
  ),
}));

type Segment = string | number;
const segment = fc.constantFrom<Segment>('x', 'y', '0', 'a b', 'length', 0, 1, 2);
const segments = fc.array(segment, { maxLength: 4 });

interface Ref {
  readonly source: string;
  readonly path: readonly Segment[];
}
const ref: fc.Arbitrary<Ref> = fc.record({
  source: fc.constantFrom(...NAMES, '$0', '$arguments', 'item'),
  path: segments,
});

/** Something in an input: what it is as JSON, and what it means. */
type Node =
  | { readonly kind: 'data'; readonly value: Json }
  | { readonly kind: 'ref'; readonly ref: Ref; readonly fallback: Json | undefined }
  | { readonly kind: 'text'; readonly parts: readonly (string | Ref)[] }
  | { readonly kind: 'list'; readonly nodes: readonly Node[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, Node])[] };

const plainText = fc
  .string({ unit: fc.constantFrom('a', '"', '{', '}', ' ', '\n', 'é', '$ref') })
  .filter((text) => !text.includes('{{'));
const fallback = fc.option(
  data.filter((value) => !/\{\{|\$ref/.test(JSON.stringify(value))),
  { nil: undefined },
);

const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small' },
    fc.record({
      kind: fc.constant('data' as const),
      value: fc.constantFrom<Json>(1, 'plain', null, [], {}, 0.1),
    }),
    fc.record({ kind: fc.constant('ref' as const), ref, fallback }),
    fc.record({
      kind: fc.constant('text' as const),
      parts: fc.array(fc.oneof(plainText, ref), { maxLength: 5 }),
    }),
    fc.record({ kind: fc.constant('list' as const), nodes: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({
      kind: fc.constant('object' as const),
      entries: fc.uniqueArray(fc.tuple(fc.constantFrom('k', '{{k}}', 'a b', '__proto__', '"'), tie('node')), {
        maxLength: 3,
        selector: ([key]) => key,
      }),
    }),
  ),
}));

function pathText(path: readonly Segment[]): string {
  return path
    .map((each) => (typeof each === 'number' ? `[${each}]` : each === 'a b' ? `['a b']` : `.${each}`))
    .join('');
}

function isStep(source: string): boolean {
  return source !== '$arguments' && source !== 'item';
}

/** How the reference is written in a string, and in a `$ref` object. */
function expression({ source, path }: Ref): string {
  return `{{${source}${isStep(source) ? '.output' : ''}${pathText(path)}}}`;
}

function refObject({ source, path }: Ref, fallback: Json | undefined): Json {
  const text = isStep(source) ? `output${pathText(path)}` : pathText(path).replace(/^\./, '');
  return {
    $ref: source,
    ...(text !== '' && { path: text }),
    ...(fallback !== undefined && { default: fallback }),
  };
}

/** Literal text followed by a template must not turn the braces of both into something else. */
function textOf(parts: readonly (string | Ref)[]): string {
  return parts.map((part) => (typeof part === 'string' ? `${part} ` : expression(part))).join('');
}

function write(node: Node): Json {
  switch (node.kind) {
    case 'data':
      return node.value;
    case 'ref':
      return refObject(node.ref, node.fallback);
    case 'text':
      return textOf(node.parts);
    case 'list':
      return node.nodes.map(write);
    case 'object':
      return own(node.entries.map(([key, value]) => [key, write(value)]));
  }
}

function own(entries: readonly (readonly [string, Json])[]): Json {
  return Object.fromEntries(entries);
}

class Gone extends Error {}

/** An output that is undefined is that of a skipped step. */
interface World {
  readonly outputs: readonly (Json | undefined)[];
  readonly args: Json;
  readonly item: Json;
}

/** The plain walk. */
function evaluate(node: Node, world: World): Json {
  switch (node.kind) {
    case 'data':
      return node.value;
    case 'ref':
      return read(node.ref, node.fallback, world);
    case 'text': {
      const [only] = node.parts;
      if (node.parts.length === 1 && typeof only === 'object') return read(only, undefined, world);
      return node.parts
        .map((part) => {
          if (typeof part === 'string') return `${part} `;
          const value = read(part, undefined, world);
          return value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
        })
        .join('');
    }
    case 'list':
      return node.nodes.map((each) => evaluate(each, world));
    case 'object':
      return own(node.entries.map(([key, value]) => [key, evaluate(value, world)]));
  }
}

function read({ source, path }: Ref, fallback: Json | undefined, world: World): Json {
  let value: Json | undefined;
  if (source === '$arguments') value = world.args;
  else if (source === 'item') value = world.item;
  else value = world.outputs[source === '$0' ? 0 : NAMES.indexOf(source as (typeof NAMES)[number])];
  if (isStep(source) && value === undefined) return fallback ?? null;
  for (const each of path) {
    if (Array.isArray(value)) value = /^\d+$/.test(String(each)) ? value[Number(each)] : undefined;
    else if (
      typeof value === 'object' &&
      value !== null &&
      typeof each === 'string' &&
      Object.hasOwn(value, each)
    )
      value = value[each];
    else value = undefined;
    if (value === undefined) break;
  }
  if (value !== undefined) return value;
  if (fallback !== undefined) return fallback;
  throw new Gone();
}

const world = fc.record({
  outputs: fc.tuple(
    ...NAMES.map(() =>
      fc.oneof({ weight: 5, arbitrary: data }, { weight: 1, arbitrary: fc.constant(undefined) }),
    ),
  ),
  args: fc.dictionary(fc.constantFrom('x', 'y', '0', 'a b'), data, { maxKeys: 4 }),
  items: fc.array(data, { maxLength: 3 }),
});

function compile(node: Node, args: Json) {
  return compileWorkflow(
    {
      argumentsJson: JSON.stringify(args),
      steps: [
        ...NAMES.map((name) => ({ type: 't', name })),
        {
          type: 't',
          inputJson: JSON.stringify(write(node)),
          forEach: { itemsJson: '{"$ref":"hero","path":"output.list"}' },
        },
      ],
    },
    { knownTypes: new Set(['t']) },
  );
}

test('inputs equal those of a plain walk', () => {
  let compared = 0;
  fc.assert(
    fc.property(node, world, (root, { outputs, args, items }) => {
      // The items travel in the output of hero, beside whatever else it is.
      const hero: Json = { list: [...items], x: outputs[0] ?? null };
      const all = [hero, ...outputs.slice(1)];
      const expected = attempt(() => items.map((item) => evaluate(root, { outputs: all, args, item })));
      const compiled = compile(root, args);
      if (!compiled.ok) {
        // Only what the arguments lack is found out this early.
        expect(compiled.problems.map((problem) => problem.reason)).toContain('UNKNOWN_REF');
        expect(attempt(() => evaluate(root, { outputs: all, args, item: null }))).toBeUndefined();
        return;
      }
      const texts = all.map((output) => (output === undefined ? null : JSON.stringify(output)));
      const resolved = resolveStep(compiled.plan, NAMES.length, (index) => texts[index]);
      if (!resolved.ok) {
        expect(resolved.reason).toBe('INPUT_UNRESOLVED');
        expect(expected).toBeUndefined();
        return;
      }
      compared++;
      expect(resolved.jobs.map(canonical)).toEqual(
        expected?.map((value) => canonical(JSON.stringify(value))),
      );
    }),
    { numRuns: 3_000 },
  );
  // Otherwise this test says nothing.
  expect(compared).toBeGreaterThan(500);
});

test('chunks of a fan-out are those of the whole', () => {
  fc.assert(
    fc.property(
      node,
      fc.array(data, { maxLength: 20 }),
      fc.integer({ min: 1, max: 7 }),
      (root, items, chunk) => {
        const compiled = compile(root, {});
        if (!compiled.ok) return;
        const output = JSON.stringify({ list: items });
        const whole = resolveStep(compiled.plan, NAMES.length, () => output);
        if (!whole.ok) return;
        const jobs: string[] = [];
        for (let from = 0; from < items.length; from += chunk) {
          const inputs = stepInputs(compiled.plan, NAMES.length, () => output, from);
          if (!inputs.ok) throw new Error(inputs.message);
          expect(inputs.total).toBe(items.length);
          for (let slot = from; slot < Math.min(from + chunk, items.length); slot++) {
            const input = inputs.inputAt(slot);
            jobs.push(input.ok ? input.json : input.message);
          }
        }
        expect(jobs).toEqual(whole.jobs);
      },
    ),
    { numRuns: 500 },
  );
});

test('combineOutputs is JSON of the list', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), (values) => {
      const texts = values.map((value) => JSON.stringify(value));
      expect(combineOutputs(texts)).toBe(JSON.stringify({ items: values }));
    }),
  );
});

function canonical(text: string): string {
  return JSON.stringify(JSON.parse(text));
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof Gone) return undefined;
    throw error;
  }
}
